// Change events on connections: subscriptions of 2025 clients, and list changes. Modern HTTP clients listen on a stream of their own.

import type { Server, ServerEventBus } from '@modelcontextprotocol/server';

const MAX_SUBSCRIPTIONS = 1000;

/** Passes events to one connected instance until it closes. */
export const followChanges = (server: Server, bus: ServerEventBus, isDynamic: boolean, era: 'modern' | 'legacy'): void => {
  const uris = new Set<string>();
  const send = async (event: Parameters<ServerEventBus['publish']>[0]): Promise<void> => {
    if (event.kind === 'resource_updated') {
      // A modern connection filters on its own streams; a legacy one by what it subscribed to.
      if (era === 'modern' || uris.has(event.uri)) await server.sendResourceUpdated({ uri: event.uri });
    } else if (!isDynamic) return;
    else if (event.kind === 'tools_list_changed') await server.sendToolListChanged();
    else if (event.kind === 'prompts_list_changed') await server.sendPromptListChanged();
    else await server.sendResourceListChanged();
  };
  // A connection that is just closing cannot be told, and needs not.
  const unsubscribe = bus.subscribe((event) => void send(event).catch(() => {}));
  const { onclose } = server;
  server.onclose = () => {
    unsubscribe();
    onclose?.();
  };
  if (era === 'modern') return;
  server.setRequestHandler('resources/subscribe', ({ params }) => {
    if (uris.size < MAX_SUBSCRIPTIONS) uris.add(params.uri);
    return {};
  });
  server.setRequestHandler('resources/unsubscribe', ({ params }) => {
    uris.delete(params.uri);
    return {};
  });
};
