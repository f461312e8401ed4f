// Calls tools on the embedded shop, one after the other, and prints the whole answers:
//   node test/support/try.ts <tool> '<json arguments>' [<tool> '<json arguments>' ...]
// Changes are allowed. "$plan" and "$change" in arguments stand for the last plan token and changeId.

import { openShop } from './shop.ts';

const words = process.argv.slice(2);
const shop = await openShop({ tls: true, flags: { 'security.allowWrites': true, 'security.allowDestructive': true } });
const known: Record<string, string> = {};
try {
  for (let at = 0; at < words.length; at += 2) {
    const tool = words[at] ?? '';
    const args = (words[at + 1] ?? '{}').replace(/\$(plan|change)/g, (_, name: string) => known[name] ?? '');
    try {
      const { text, structured } = await shop.call(tool, JSON.parse(args) as Record<string, unknown>);
      known['plan'] = String(structured['plan'] ?? known['plan']);
      known['change'] = String(structured['changeId'] ?? known['change']);
      process.stdout.write(`${text}\n\n[${text.length} chars of text, ${JSON.stringify(structured).length} of JSON]\n\n`);
    } catch (thrown) {
      process.stdout.write(`${String(thrown)} ${JSON.stringify((thrown as { details?: unknown }).details)}\n\n`);
    }
  }
} finally {
  await shop.close();
}
