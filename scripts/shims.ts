// In the published bundle the protocol library's validator is its small one: the large one would cost a tenth of every start
// and is needed only for answers of users on connections of 2025.

export { CfWorkerJsonSchemaValidator as DefaultJsonSchemaValidator } from '@modelcontextprotocol/server/validators/cf-worker';

// Importing node:process reads every getter of it.
const { process } = globalThis;

export { process };
