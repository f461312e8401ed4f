// Who this server says it is. The version is that of package.json, checked by a test.

export const NAME = 'cloud-native-mcp-server';
export const TITLE = 'Cloud Native MCP Server';
export const VERSION = '0.1.0';
