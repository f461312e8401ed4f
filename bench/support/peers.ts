// The peers: what a user would pick instead. Installed into a cache folder of the user, never a dependency of ours; they speak MCP of 2025 on stdio.

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { z } from 'zod';
import { mustRun } from '../../test/backends/command.ts';
import { timed as told } from '../../test/backends/log.ts';
import { cleanEnvironment } from './program.ts';
import type { PeerName } from './rows.ts';

const KMS_VERSION = '0.0.67';
const FLX_VERSION = '4.1.7';
const CALL_LIMIT_MS = 300_000;

export interface PeerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface PeerClient {
  readonly pid: number;
  /** The text of the answer; throws when the tool failed. */
  call(tool: string, args: Readonly<Record<string, unknown>>): Promise<string>;
  close(): Promise<void>;
}

/** Where a peer finds its cluster, and kubectl. */
export interface PeerCluster {
  readonly kubeconfig: string;
  readonly tools: string;
}

export interface Peers {
  command(name: PeerName, cluster: PeerCluster): PeerCommand;
  connect(name: PeerName, cluster: PeerCluster): Promise<PeerClient>;
}

/** Why a peer could not answer: the innermost of its reasons. */
export const toFailure = (error: unknown): string => {
  const message = error instanceof Error ? error.message : String(error);
  return `fails: ${message.trim().split(': ').at(-1)?.slice(0, 100)}`;
};

const cacheFolder = (): string =>
  join(
    process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
    'cloud-native-mcp-server',
    'bench',
    `peers-${KMS_VERSION}-${FLX_VERSION}`,
  );

const answerShape = z.object({
  isError: z.boolean().optional(),
  content: z.array(z.object({ type: z.string(), text: z.string().optional() })),
});

const PLATFORMS: Readonly<Record<string, string>> = { linux: 'linux', darwin: 'darwin', win32: 'windows' };
const MACHINES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** The Go program itself, not the script of its package that starts it. */
const kmsProgram = (modules: string): string => {
  const name = `kubernetes-mcp-server-${PLATFORMS[process.platform]}-${MACHINES[process.arch]}`;
  return join(modules, name, 'bin', process.platform === 'win32' ? `${name}.exe` : name);
};

/** Installs the peers where they are not yet. */
export const installPeers = async (): Promise<Peers> => {
  const folder = cacheFolder();
  const modules = join(folder, 'node_modules');
  const kms = kmsProgram(modules);
  const flx = join(modules, 'mcp-server-kubernetes', 'dist', 'index.js');
  if (!existsSync(kms) || !existsSync(flx)) {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'package.json'), '{"private":true}\n');
    const wanted = [`kubernetes-mcp-server@${KMS_VERSION}`, `mcp-server-kubernetes@${FLX_VERSION}`];
    await told('installing the peers', () =>
      mustRun('npm', ['install', '--no-audit', '--no-fund', '--save-exact', ...wanted], { cwd: folder }),
    );
  }
  const command: Peers['command'] = (name, { kubeconfig, tools }) => {
    const env = { KUBECONFIG: kubeconfig, PATH: `${tools}:${process.env['PATH'] ?? ''}` };
    return name === 'KMS' ? { command: kms, args: ['--kubeconfig', kubeconfig], env } : { command: process.execPath, args: [flx], env };
  };
  return {
    command,
    async connect(name, cluster) {
      const { command: file, args, env } = command(name, cluster);
      const transport = new StdioClientTransport({ command: file, args: [...args], env: cleanEnvironment(env), stderr: 'ignore' });
      const client = new Client({ name: 'bench', version: '1' });
      await client.connect(transport);
      return {
        pid: transport.pid ?? 0,
        async call(tool, given) {
          const answer = answerShape.parse(
            await client.callTool({ name: tool, arguments: { ...given } }, undefined, { timeout: CALL_LIMIT_MS }),
          );
          const text = answer.content.map((part) => part.text ?? '').join('\n');
          if (answer.isError === true) throw new Error(text);
          return text;
        },
        close: () => client.close(),
      };
    },
  };
};
