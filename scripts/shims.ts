// In the published bundle the protocol library's validator is its small one: the large one would cost a tenth of every start
// and is needed only for answers of users on connections of 2025.

export { default as process } from 'node:process';
export { CfWorkerJsonSchemaValidator as DefaultJsonSchemaValidator } from '@modelcontextprotocol/server/validators/cf-worker';
