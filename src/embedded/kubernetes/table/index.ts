// The Table form: the rows that kubectl prints, made by the server (meta.k8s.io/v1 Table).
import { readDataFile } from '../data-files.ts';
import { isObject, type JsonObject, numberAt, objectsAt, parseJson, textAt, timeAt } from '../json.ts';
import type { KubernetesObject } from '../object.ts';
import { type Resource, toStorage } from '../resources.ts';
import { CLUSTER_PRINTERS, printDefault } from './cluster.ts';
import { CORE_PRINTERS } from './core.ts';
import { type ColumnTexts, customCells, customColumns, metricsCells, metricsColumns } from './custom.ts';
import { podRowConditions } from './pods.ts';
import type { Cell, PrintContext, Printers } from './printer.ts';
import { WORKLOAD_PRINTERS } from './workloads.ts';

const PRINTERS: Printers = { ...CORE_PRINTERS, ...WORKLOAD_PRINTERS, ...CLUSTER_PRINTERS };

let columns: JsonObject | undefined;

/** Column definitions are data from a real server, read when the first table is asked for. */
const allColumns = (): JsonObject => {
  if (columns === undefined) {
    const read = parseJson(readDataFile('columns.json.gz'));
    columns = isObject(read) ? read : {};
  }
  return columns;
};

const qualified = ({ group, resource }: Resource): string => (group === '' ? resource : `${resource}.${group}`);

const columnTexts = (): ColumnTexts => {
  const [name, creationTimestamp] = objectsAt(allColumns(), 'roles.rbac.authorization.k8s.io').map((column) =>
    textAt(column, 'description'),
  );
  return { name: name ?? '', creationTimestamp: creationTimestamp ?? '' };
};

/** The column definitions of a resource. */
export const columnsOf = (resource: Resource): readonly JsonObject[] => {
  if (resource.custom !== undefined) return customColumns(resource, columnTexts());
  if (resource.group === 'metrics.k8s.io') return metricsColumns();
  const known = objectsAt(allColumns(), qualified(resource));
  return known.length > 0 ? known : objectsAt(allColumns(), 'roles.rbac.authorization.k8s.io');
};

/** The columns of the scale subresource of any workload. */
export const scaleColumns = (): readonly JsonObject[] => {
  const texts = columnTexts();
  const column = (name: string, type: string, description: string): JsonObject => ({ name, type, format: '', description, priority: 0 });
  return [
    column('Name', 'string', texts.name),
    column('Desired', 'integer', 'replicas is the desired number of instances for the scaled object.'),
    column('Available', 'integer', 'replicas is the actual number of observed instances of the scaled object.'),
    column('Age', 'string', texts.creationTimestamp),
  ];
};

export interface Row {
  readonly object: KubernetesObject;
  readonly cells: readonly Cell[];
  readonly conditions?: readonly JsonObject[];
}

/** Rows of a list, in the order that the table shows. */
export const toRows = (resource: Resource, objects: readonly KubernetesObject[], context: PrintContext, isList: boolean): Row[] => {
  if (resource.custom !== undefined) return objects.map((object) => ({ object, cells: customCells(resource, object, context) }));
  if (resource.group === 'metrics.k8s.io') return objects.map((object) => ({ object, cells: metricsCells(object) }));
  const name = qualified(resource);
  const print = PRINTERS[name] ?? PRINTERS[toStorage(resource.group, resource.resource)] ?? printDefault;
  if (name === 'pods') {
    return objects.map((object) => {
      const conditions = podRowConditions(object);
      return { object, cells: print(object, context), ...(conditions === undefined ? {} : { conditions }) };
    });
  }
  const ordered = name === 'flowschemas.flowcontrol.apiserver.k8s.io' ? objects.toSorted(byPrecedence) : objects;
  const rows = ordered.map((object) => ({ object, cells: print(object, context) }));
  return isList && name === 'storageclasses.storage.k8s.io' ? withDefaultClass(rows) : rows;
};

const byPrecedence = (left: KubernetesObject, right: KubernetesObject): number => {
  const difference = numberAt(left, 'spec', 'matchingPrecedence') - numberAt(right, 'spec', 'matchingPrecedence');
  return difference !== 0 ? difference : left.metadata.name < right.metadata.name ? -1 : 1;
};

const DEFAULT_CLASS = ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'];

/** Only a list knows which default class counts: the newest, and of equally old ones the first by name. */
const withDefaultClass = (rows: Row[]): Row[] => {
  const defaults = rows.filter(({ object }) => DEFAULT_CLASS.some((key) => object.metadata.annotations?.[key] === 'true'));
  const time = ({ object }: Row): number => timeAt(object, 'metadata', 'creationTimestamp') ?? 0;
  const [effective] = defaults.toSorted((left, right) => time(right) - time(left));
  return rows.map((row) => (row === effective ? { ...row, cells: [`${row.object.metadata.name} (default)`, ...row.cells.slice(1)] } : row));
};
