// Chart references of callers: repo/name, oci://host/path/name, https://host/file.tgz. Paths of the server and options of a command are none.

import { AppError } from '../../../kit/errors.ts';
import { nearestNames } from '../../../kit/nearest.ts';
import type { RepositoryConfig } from '../config.ts';

export type ChartPlace =
  | { readonly kind: 'index'; readonly repository: string; readonly chart: string }
  | {
      readonly kind: 'oci';
      readonly origin: string;
      readonly name: string;
      readonly reference: string;
      readonly tag: string | undefined;
      /** Whose login is used. */
      readonly repository: string | undefined;
    }
  | { readonly kind: 'url'; readonly url: string };

const CHART_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,249}$/;
/** A repository name of the distribution specification. */
const OCI_NAME = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/;

const refuse = (words: string, choices: readonly string[] = []): AppError =>
  new AppError('INVALID_ARGUMENT', words, {
    details: {
      argument: 'chart',
      expected: 'repo/name of a configured repository, oci://host/path/name, or the https URL of a .tgz',
      ...(choices.length > 0 ? { choices } : {}),
    },
  });

const isWithin = (path: string, folder: string): boolean => folder === '' || path === folder || path.startsWith(`${folder}/`);

const parseOci = (text: string, repositories: readonly RepositoryConfig[]): ChartPlace => {
  const [, host = '', path = '', tag] = /^oci:\/\/([^/\s@?#]+)\/([^\s@?#:]+)(?::([A-Za-z0-9_][A-Za-z0-9._-]{0,127}))?$/.exec(text) ?? [];
  if (host === '' || !OCI_NAME.test(path) || !URL.canParse(`https://${host}`))
    throw refuse('This is no reference to a chart in a registry.');
  const own = repositories.find(({ url }) => {
    const [, ownHost = '', ownPath = ''] = /^oci:\/\/([^/]+)\/?(.*?)\/*$/.exec(url) ?? [];
    return ownHost === host && isWithin(path, ownPath);
  });
  const origin = `${own?.plainHttp === true ? 'http' : 'https'}://${host}`;
  return { kind: 'oci', origin, name: path, reference: `oci://${host}/${path}`, tag: tag?.replaceAll('_', '+'), repository: own?.name };
};

/** @throws INVALID_ARGUMENT */
export const parseReference = (text: string, repositories: readonly RepositoryConfig[]): ChartPlace => {
  if (text.length > 1000 || /[\p{Cc}\s\\]/u.test(text) || text.startsWith('-')) throw refuse('This is no reference to a chart.');
  if (text.startsWith('oci://')) return parseOci(text, repositories);
  if (text.startsWith('https://') || text.startsWith('http://')) {
    if (!URL.canParse(text) || new URL(text).username !== '')
      throw refuse('This is no URL of a chart; a login belongs into helm.repositories.');
    return { kind: 'url', url: text };
  }
  const [repository = '', chart, ...more] = text.split('/');
  const names = repositories.map(({ name }) => name);
  if (chart === undefined && CHART_NAME.test(repository))
    throw refuse(
      'Name the repository, too: helm_search_charts finds the chart.',
      names.map((name) => `${name}/${repository}`),
    );
  const known = repositories.find(({ name }) => name === repository);
  if (known === undefined && more.length === 0 && chart !== undefined && CHART_NAME.test(chart) && CHART_NAME.test(repository)) {
    throw new AppError('NOT_FOUND', `No repository ${repository.slice(0, 100)} is configured.`, {
      details: { argument: 'chart', nearest: nearestNames(repository, names), choices: names, setting: 'helm.repositories' },
    });
  }
  if (known === undefined || chart === undefined) throw refuse('This is no reference to a chart: files of the server are not read.');
  if (known.url.startsWith('oci:')) return parseOci(`${known.url.replace(/\/+$/, '')}/${[chart, ...more].join('/')}`, repositories);
  if (more.length > 0 || !CHART_NAME.test(chart) || chart.includes('..')) throw refuse('This is no name of a chart.');
  return { kind: 'index', repository, chart };
};
