// Playbooks that span services. Each is listed only where every tool that it names is.

import type { Prompt } from '../../kit/service.ts';

export const prompts: readonly Prompt[] = [];
