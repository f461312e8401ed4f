// A small service of our own: notes with versions. It shows what authors write, and proves the contract of changes.

import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { change } from '../../src/kit/change.ts';
import { AppError } from '../../src/kit/errors.ts';
import { defineService } from '../../src/kit/service.ts';
import { tool } from '../../src/kit/tool.ts';

interface Note {
  readonly text: string;
  readonly version: number;
}

export interface Notes {
  readonly notes: Map<string, Note>;
  /** How often something was written. */
  writes: number;
}

/** The backend: shared, so that tests can change it behind the server's back. */
export const backend: Notes = { notes: new Map(), writes: 0 };

export const resetNotes = (): void => {
  backend.notes.clear();
  backend.notes.set('first', { text: 'hello', version: 1 });
  backend.writes = 0;
};

const read = (notes: Notes, id: string): Note => {
  const note = notes.notes.get(id);
  if (note === undefined) throw new AppError('NOT_FOUND', `There is no note ${id}.`, { details: { ref: `note://${id}` } });
  return note;
};

const write = (notes: Notes, id: string, text: string): number => {
  const version = (notes.notes.get(id)?.version ?? 0) + 1;
  notes.notes.set(id, { text, version });
  notes.writes += 1;
  return version;
};

const setText = change({
  name: 'notes_set_text',
  title: 'Set text',
  description: 'Sets the text of a note.',
  effect: 'write',
  input: z.object({ id: z.string().describe('Note.'), text: z.string().describe('New text.') }),
  async plan({ id, text }, notes: Notes) {
    const before = read(notes, id);
    return {
      summary: `Set the text of note ${id}`,
      targets: [
        {
          ref: `note://${id}`,
          operation: before.text === text ? ('unchanged' as const) : ('update' as const),
          version: String(before.version),
        },
      ],
      diff: before.text === text ? [] : [{ ref: `note://${id}`, path: 'text', before: before.text, after: text }],
      impact: {},
      checks: [
        text.length > 100
          ? { name: 'length', result: 'fail' as const, detail: 'A note has at most 100 characters.' }
          : { name: 'length', result: 'pass' as const },
      ],
      verify: 'the note has the new text',
      undo: { possible: true, how: `set the text back to "${before.text}"` },
      state: { id, text, before: before.text },
    };
  },
  async apply({ state }, notes) {
    const version = write(notes, state.id, state.text);
    return {
      summary: `The text of note ${state.id} was set`,
      targets: [{ ref: `note://${state.id}`, operation: 'update' as const, version: String(version) }],
      undo: { id: state.id, text: state.before },
    };
  },
  async verify({ state }, _, __, notes) {
    return read(notes, state.id).text === state.text
      ? { result: 'pass' as const, detail: 'the note has the new text' }
      : { result: 'fail' as const, detail: 'the note has another text' };
  },
  async undo({ id, text }: { id: string; text: string }, notes) {
    const before = read(notes, id);
    return {
      summary: `Set the text of note ${id} back`,
      targets: [{ ref: `note://${id}`, operation: 'update' as const, version: String(before.version) }],
      diff: [{ ref: `note://${id}`, path: 'text', before: before.text, after: text }],
      undo: { possible: true, how: 'set it again' },
      state: { id, text, before: before.text },
    };
  },
});

export default defineService<{ greeting: string }, Notes>({
  name: 'notes',
  title: 'Notes',
  config: z.strictObject({ greeting: z.string().default('hi') }),
  tools: [
    tool<Notes, z.core.$ZodLooseShape>({
      name: 'notes_get_text',
      title: 'Get text',
      description: 'Gets the text of a note.',
      effect: 'read',
      cacheFor: '10m',
      input: z.object({ id: z.string().describe('Note.') }),
      output: z.object({ text: z.string() }),
      run: async ({ id }, notes) => ({ head: { text: read(notes, String(id)).text } }),
    }),
    tool<Notes, z.core.$ZodLooseShape>({
      name: 'notes_pause',
      title: 'Pause',
      description: 'Waits.',
      effect: 'read',
      task: true,
      input: z.object({ duration: z.string().describe('How long, ms.') }),
      output: z.object({ waited: z.string() }),
      run: async ({ duration }, _, { signal }) => {
        await delay(Number(String(duration).replace('ms', '')), undefined, { signal });
        return { head: { waited: String(duration) } };
      },
    }),
    setText,
  ],
  connect: () => {
    if (backend.notes.size === 0) resetNotes();
    return backend;
  },
  ping: async () => ({ state: 'up' }),
});
