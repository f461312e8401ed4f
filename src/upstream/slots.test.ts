import { expect, it } from 'vitest';
import { withAmbient } from '../kit/ambient.ts';
import { createSlots } from './slots.ts';

const free = () => new AbortController().signal;

it('lets in as many as there are slots, then callers in turn', async () => {
  const slots = createSlots(1);
  const entered: string[] = [];
  const enter = (principal: string, name: string) =>
    withAmbient({ principal }, () => slots.enter(free())).then((leave) => {
      entered.push(name);
      return leave;
    });
  const leaveFirst = await enter('greedy', 'g1');
  const waiting = [enter('greedy', 'g2'), enter('greedy', 'g3'), enter('modest', 'm1')] as const;
  await Promise.resolve();
  expect(entered).toEqual(['g1']);
  leaveFirst();
  (await waiting[0])();
  (await waiting[2])();
  (await waiting[1])();
  expect(entered).toEqual(['g1', 'g2', 'm1', 'g3']);
  (await enter('modest', 'm2'))();
  expect(entered.at(-1)).toBe('m2');
});

it('one who leaves while waiting takes no slot with it', async () => {
  const slots = createSlots(1);
  const leave = await slots.enter(free());
  const leaving = new AbortController();
  const left = slots.enter(leaving.signal);
  leaving.abort(new Error('left'));
  await expect(left).rejects.toThrow('left');
  leave();
  (await slots.enter(free()))();
});
