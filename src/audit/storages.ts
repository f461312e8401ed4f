// From the configuration to storages; what a start does not use is not loaded.

import type { Logger } from '../kit/context.ts';
import type { EncoderPool } from '../kit/encoder.ts';
import { AppError } from '../kit/errors.ts';
import type { AuditConfig } from './config.ts';
import { openMemory } from './memory.ts';
import type { AuditReader, AuditStorage } from './storage.ts';

export interface StorageDeps {
  readonly logger: Logger;
  readonly now: () => number;
  readonly encoders: EncoderPool;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const toFileOptions = ({ file, format }: AuditConfig) => ({
  path: file.path,
  format,
  maxBytes: file.maxSizeMB * 1024 * 1024,
  maxBackups: file.maxBackups,
  maxAgeMs: file.maxAgeDays * DAY_MS,
  compress: file.compress,
  maxLogs: file.maxLogs,
});

export const toDatabaseOptions = ({ database }: AuditConfig) => ({
  table: database.tableName,
  maxRecords: database.maxRecords,
  cleanupMs: database.cleanupInterval * HOUR_MS,
});

const toConnectionString = ({ database }: AuditConfig): string => {
  if (database.connectionString !== undefined) return database.connectionString;
  throw new AppError('INVALID_ARGUMENT', 'Configuration audit.database.connectionString: PostgreSQL needs one.', {
    details: { key: 'audit.database.connectionString' },
  });
};

/** A storage that cannot be opened stops the start, with the key to look at. */
const cannotOpen = (what: string, key: string, thrown: unknown): AppError => {
  if (thrown instanceof AppError) return thrown;
  const { code, message } = thrown as { code?: unknown; message?: unknown };
  const reason = typeof code === 'string' && code !== 'ERR_SQLITE_ERROR' ? code : String(message).slice(0, 200);
  return new AppError('INVALID_ARGUMENT', `The audit ${what} cannot be opened: ${reason}. See ${key}.`, {
    details: { key },
    cause: thrown,
  });
};

const openFile = async (config: AuditConfig, deps: StorageDeps): Promise<AuditStorage> => {
  const { openFileStorage } = await import('./file.ts');
  return openFileStorage({ ...toFileOptions(config), ...deps }).catch((thrown: unknown) => {
    throw cannotOpen(`file ${config.file.path}`, 'audit.file.path', thrown);
  });
};

const openDatabase = async (config: AuditConfig, deps: StorageDeps): Promise<AuditStorage> => {
  if (config.database.type === 'sqlite') {
    const { openSqlite } = await import('./sqlite.ts');
    return openSqlite({ path: config.database.sqlitePath, ...toDatabaseOptions(config), ...deps }).catch((thrown: unknown) => {
      throw cannotOpen(`database ${config.database.sqlitePath}`, 'audit.database.sqlitePath', thrown);
    });
  }
  const connectionString = toConnectionString(config);
  const { openPostgresql } = await import('./postgresql.ts');
  return openPostgresql({ connectionString, ...toDatabaseOptions(config), ...deps }).catch((thrown: unknown) => {
    throw cannotOpen('database', 'audit.database.connectionString', thrown);
  });
};

/** The storages that are configured; the last one answers queries. */
export const openStorages = async (config: AuditConfig, deps: StorageDeps): Promise<AuditStorage[]> => {
  if (config.storage === 'memory') return [openMemory(config.maxLogs)];
  const opened: AuditStorage[] = [];
  try {
    if (config.storage !== 'database') opened.push(await openFile(config, deps));
    if (config.storage !== 'file') opened.push(await openDatabase(config, deps));
  } catch (thrown) {
    await Promise.allSettled(opened.map((storage) => storage.close()));
    throw thrown;
  }
  return opened;
};

export type ReaderKind = 'file' | 'sqlite' | 'postgresql';

/** What the configuration writes to, for the `audit` command. */
export const toReaderKinds = ({ storage, database }: AuditConfig): ReaderKind[] => {
  const base = database.type === 'sqlite' ? 'sqlite' : 'postgresql';
  return storage === 'memory' ? [] : storage === 'file' ? ['file'] : storage === 'database' ? [base] : ['file', base];
};

/** Opens a storage for reading alone, also while a server writes to it. */
export const openReader = async (kind: ReaderKind, config: AuditConfig): Promise<AuditReader> => {
  try {
    if (kind === 'file') return (await import('./file-reader.ts')).openFileReader(toFileOptions(config));
    if (kind === 'sqlite')
      return (await import('./sqlite.ts')).openSqliteReader({ path: config.database.sqlitePath, table: config.database.tableName });
    return await (await import('./postgresql.ts')).openPostgresqlReader({
      connectionString: toConnectionString(config),
      table: config.database.tableName,
    });
  } catch (thrown) {
    throw cannotOpen(kind, kind === 'file' ? 'audit.file.path' : `audit.database`, thrown);
  }
};
