// Calls one tool on the embedded shop and prints the whole answer: node test/support/try.ts <tool> '<json arguments>'

import { openShop } from './shop.ts';

const [tool = '', args = '{}'] = process.argv.slice(2);
const shop = await openShop();
try {
  const { text, structured } = await shop.call(tool, JSON.parse(args) as Record<string, unknown>);
  process.stdout.write(`${text}\n\n[${text.length} chars of text, ${JSON.stringify(structured).length} of JSON]\n`);
} catch (thrown) {
  process.stdout.write(`${String(thrown)} ${JSON.stringify((thrown as { details?: unknown }).details)}\n`);
}
await shop.close();
