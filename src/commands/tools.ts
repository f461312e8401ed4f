// tools: what a client would see, and what it costs.

import { createApp } from '../app.ts';
import { definitionTokens } from '../mcp/wire.ts';
import { HELP_OPTION, parseFlags, SETTING_OPTIONS, toSettings } from './options.ts';
import { formatTable } from './table.ts';

const HELP = `Usage: tools [--profile NAMES] [--allow-writes] [--json]

Lists the tools of a profile (default: all), with effect and token cost. --json prints the definitions as a client receives them.
`;

/** @returns the exit code */
export const run = async (argv: readonly string[]): Promise<number> => {
  const flags = parseFlags(argv, { ...SETTING_OPTIONS, ...HELP_OPTION, json: { type: 'boolean' } });
  if (flags.values['help'] === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const app = await createApp(await toSettings(flags, flags.values['profile'] === undefined ? { profiles: ['all'] } : {}));
  const { selection, tables } = app.surface(app.config.profiles);
  const tools = tables.tools.items;
  if (flags.values['json'] === true) process.stdout.write(`${JSON.stringify(tools)}\n`);
  else {
    const rows = tools.map((tool) => [
      tool.name,
      selection.tools.find(({ name }) => name === tool.name)?.effect ?? '',
      String(definitionTokens([tool])),
      tool.description ?? '',
    ]);
    process.stdout.write(`${formatTable(['TOOL', 'EFFECT', 'TOKENS', 'WHAT IT DOES'], rows)}\n`);
    process.stdout.write(
      `\n${tools.length} tools, about ${definitionTokens(tools)} tokens (${tables.form} form), profile ${selection.profile}, mode ${selection.mode}\n`,
    );
    if (selection.hidden.size > 0)
      process.stdout.write(`not offered: ${[...selection.hidden.keys()].join(', ')} (platform_status view=access says why)\n`);
  }
  await app.close();
  return 0;
};
