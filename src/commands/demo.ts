export const run = async (_argv: readonly string[]): Promise<number> => 0;
