// A log that is gone: the kubelet answers 200, and says so in the first line.

import type { LogLine, LogStream } from '../../upstream/kubernetes/logs.ts';

/** The kubelet's own words (pkg/kubelet/kuberuntime), which stand there without a time: the runtime no longer has the container. */
const GONE = /^unable to retrieve container logs for [a-z-]+:\/\//i;

/** The same stream; undefined when its log is gone. */
export const unlessGone = async (stream: LogStream): Promise<LogStream | undefined> => {
  const lines = stream.lines[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done !== true && first.value.at === undefined && GONE.test(first.value.text)) {
    await lines.return?.();
    return undefined;
  }
  const all = async function* (): AsyncGenerator<LogLine> {
    try {
      for (let next = first; next.done !== true; next = await lines.next()) yield next.value;
    } finally {
      await lines.return?.();
    }
  };
  return {
    lines: all(),
    get bytesRead() {
      return stream.bytesRead;
    },
    get isCut() {
      return stream.isCut;
    },
  };
};
