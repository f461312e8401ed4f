// The release whose API is served.

/** GET /version */
export const VERSION = {
  major: '1',
  minor: '36',
  emulationMajor: '1',
  emulationMinor: '36',
  minCompatibilityMajor: '1',
  minCompatibilityMinor: '35',
  gitVersion: 'v1.36.1',
  gitCommit: '756939600b9a7180fc2df6550a4585b638875e68',
  gitTreeState: 'clean',
  buildDate: '2026-05-12T09:41:36Z',
  goVersion: 'go1.26.2',
  compiler: 'gc',
  platform: 'linux/amd64',
} as const;
