// The shop: the one incident that all embedded backends tell. Names, figures and times that two of them must agree on come from here and nowhere else.
export * from './shop/facts.ts';
export * from './shop/hash.ts';
export * from './shop/logs.ts';
export * from './shop/payment.ts';
export * from './shop/usage.ts';
export * from './shop/world.ts';
