// Waits for Ctrl-C or SIGTERM; a second one ends the process at once.

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export const untilSignal = (): Promise<void> =>
  new Promise((resolve) => {
    let asked = false;
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve();
      });
    }
  });
