// The tasks extension (io.modelcontextprotocol/tasks): a long call becomes a handle that the client polls. Kept per caller, bounded, with an expiry.

import { randomBytes } from 'node:crypto';
import { type CallToolResult, ProtocolError, type Server, type ServerContext } from '@modelcontextprotocol/server';
import { z } from 'zod';
import { AppError } from '../kit/errors.ts';
import { type Exchange, INVALID_PARAMS, noteRefused } from './server.ts';

export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';

const MISSING_CAPABILITY = -32021;
const TTL_MS = 3_600_000;
const POLL_INTERVAL_MS = 1000;
const MAX_TASKS = 1000;
/** A call that ends this fast needs no handle. */
const INLINE_MS = 1000;

type Status = 'working' | 'completed' | 'failed' | 'cancelled';

interface Task {
  readonly id: string;
  readonly caller: string;
  readonly createdAt: number;
  readonly controller: AbortController;
  updatedAt: number;
  status: Status;
  message?: string;
  result?: CallToolResult;
}

export interface Tasks {
  add(caller: string, controller: AbortController): Task;
  find(caller: string, id: string): Task | undefined;
  update(task: Task, change: Partial<Pick<Task, 'status' | 'message' | 'result'>>): void;
  /** Aborts everything that still runs. */
  close(): void;
}

/** @param now milliseconds since the epoch */
export const createTasks = (now: () => number): Tasks => {
  const tasks = new Map<string, Task>();
  const dropOld = (): void => {
    for (const [id, task] of tasks) {
      if (task.createdAt + TTL_MS >= now() && tasks.size < MAX_TASKS) break;
      task.controller.abort(new AppError('CANCELLED', 'The task expired.'));
      tasks.delete(id);
    }
  };
  return {
    add(caller, controller) {
      dropOld();
      const task: Task = {
        id: randomBytes(24).toString('base64url'),
        caller,
        createdAt: now(),
        updatedAt: now(),
        controller,
        status: 'working',
      };
      tasks.set(task.id, task);
      return task;
    },
    find(caller, id) {
      const task = tasks.get(id);
      return task?.caller === caller && task.createdAt + TTL_MS >= now() ? task : undefined;
    },
    update(task, change) {
      if (task.status === 'working') Object.assign(task, change, { updatedAt: now() });
    },
    close() {
      for (const task of tasks.values()) task.controller.abort(new AppError('CANCELLED', 'The server stops.'));
      tasks.clear();
    },
  };
};

const toHandle = (task: Task): Record<string, unknown> => ({
  taskId: task.id,
  status: task.status,
  ...(task.message === undefined ? {} : { statusMessage: task.message }),
  createdAt: new Date(task.createdAt).toISOString(),
  lastUpdatedAt: new Date(task.updatedAt).toISOString(),
  ttlMs: TTL_MS,
  pollIntervalMs: POLL_INTERVAL_MS,
});

const knowsTasks = (capabilities: Readonly<Record<string, unknown>>): boolean => {
  const { extensions } = capabilities as { extensions?: unknown };
  return typeof extensions === 'object' && extensions !== null && TASKS_EXTENSION in extensions;
};

/** Starts a task-capable call as a task; gives the result itself when the call ends at once, undefined when tasks do not apply. */
export const startTask = (
  { surface, deps, caller, capabilities, c }: Exchange,
  name: string,
  run: (signal: AbortSignal) => Promise<CallToolResult>,
): Promise<object> | undefined => {
  const tool = surface.selection.tools.find((item) => item.name === name);
  if (tool?.task !== true || !knowsTasks(capabilities)) return undefined;
  const controller = new AbortController();
  const cancelled = (): void => controller.abort(c.mcpReq.signal.reason);
  c.mcpReq.signal.addEventListener('abort', cancelled, { once: true });
  const running = run(controller.signal);
  let timer: NodeJS.Timeout | undefined;
  const inline = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), INLINE_MS);
  });
  return Promise.race([running, inline]).then((result) => {
    clearTimeout(timer);
    // From here on the task outlives its request: a disconnect is no cancellation.
    c.mcpReq.signal.removeEventListener('abort', cancelled);
    if (result !== undefined) return result;
    const task = deps.tasks.add(caller.id, controller);
    void running.then(
      (finished) => deps.tasks.update(task, { status: 'completed', result: finished }),
      () => deps.tasks.update(task, { status: 'failed', message: 'The call failed.' }),
    );
    return { resultType: 'task', ...toHandle(task) };
  });
};

const taskParams = z.looseObject({ taskId: z.string().min(1).max(200) });

/** Registers tasks/get, tasks/update and tasks/cancel. */
const SCHEMAS = { params: taskParams, result: z.looseObject({}) };

export const registerTasks = (server: Server, exchange: (c: ServerContext) => Exchange): void => {
  const find = (c: ServerContext, id: string): { task: Task; tasks: Tasks } => {
    const { deps, caller, capabilities } = exchange(c);
    if (!knowsTasks(capabilities)) {
      throw new ProtocolError(MISSING_CAPABILITY, 'Missing required client capability', {
        requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } },
      });
    }
    const begun = performance.now();
    const task = deps.tasks.find(caller.id, id);
    if (task !== undefined) return { task, tasks: deps.tasks };
    const thrown = new ProtocolError(INVALID_PARAMS, 'Unknown task');
    noteRefused(deps, c, { thrown, begun });
    throw thrown;
  };
  server.setRequestHandler('tasks/get', SCHEMAS, ({ taskId }, c) => {
    const { task } = find(c, taskId);
    return {
      resultType: 'complete',
      ...toHandle(task),
      ...(task.result === undefined ? {} : { result: { resultType: 'complete', ...task.result } }),
    };
  });
  // No tool of ours asks its user from within a task, so there is never an input to deliver: unknown keys are ignored, as the extension says.
  server.setRequestHandler('tasks/update', SCHEMAS, ({ taskId }, c) => {
    find(c, taskId);
    return { resultType: 'complete' };
  });
  server.setRequestHandler('tasks/cancel', SCHEMAS, ({ taskId }, c) => {
    const { task, tasks } = find(c, taskId);
    tasks.update(task, { status: 'cancelled' });
    task.controller.abort(new AppError('CANCELLED', 'The task was cancelled.'));
    return { resultType: 'complete' };
  });
};
