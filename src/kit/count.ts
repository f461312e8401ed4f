// Numbers with their noun: `1 object`, `3 objects`.

/** @param noun singular; its plural takes an s */
export const countOf = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
