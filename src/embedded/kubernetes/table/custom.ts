// Columns and rows of custom resources (apiextensions-apiserver, tableconvertor) and of metrics (metrics-server).

import { type Json, type JsonObject, numberAt, objectsAt, textAt, textsAt } from '../json.ts';
import { findAll } from '../json-path.ts';
import type { KubernetesObject } from '../object.ts';
import type { Resource } from '../resources.ts';
import { type Cell, type PrintContext, toAge } from './printer.ts';

export interface ColumnTexts {
  readonly name: string;
  readonly creationTimestamp: string;
}

const nameColumn = (texts: ColumnTexts): JsonObject => ({
  name: 'Name',
  type: 'string',
  format: 'name',
  description: texts.name,
  priority: 0,
});

const additionalColumns = (resource: Resource): readonly JsonObject[] => objectsAt(resource.custom?.version, 'additionalPrinterColumns');

export const customColumns = (resource: Resource, texts: ColumnTexts): JsonObject[] => {
  const declared = additionalColumns(resource).map((column) => ({
    name: textAt(column, 'name'),
    type: textAt(column, 'type'),
    format: textAt(column, 'format'),
    description: textAt(column, 'description') || `Custom resource definition column (in JSONPath format): ${textAt(column, 'jsonPath')}`,
    priority: numberAt(column, 'priority'),
  }));
  const age = { name: 'Age', type: 'date', format: '', description: texts.creationTimestamp, priority: 0 };
  return [nameColumn(texts), ...(declared.length === 0 ? [age] : declared)];
};

export const customCells = (resource: Resource, object: KubernetesObject, context: PrintContext): Cell[] => {
  const columns = additionalColumns(resource);
  const shown = columns.length === 0 ? [{ type: 'date', jsonPath: '.metadata.creationTimestamp' }] : columns;
  return [
    object.metadata.name,
    ...shown.map((column) => toCell(textAt(column, 'type'), findAll(object, textAt(column, 'jsonPath'))[0], context)),
  ];
};

const toCell = (type: string, value: Json | undefined, context: PrintContext): Cell => {
  if (value === undefined || value === null) return null;
  if (type === 'string') return typeof value === 'string' ? value : JSON.stringify(value);
  if (type === 'integer') return typeof value === 'number' ? Math.trunc(value) : null;
  if (type === 'number') return typeof value === 'number' ? value : null;
  if (type === 'boolean') return typeof value === 'boolean' ? value : null;
  if (type !== 'date' || typeof value !== 'string') return null;
  const time = Date.parse(value);
  return Number.isNaN(time) ? '<invalid>' : toAge(time, context);
};

export const metricsColumns = (): JsonObject[] => [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the resource', priority: 0 },
  { name: 'cpu', type: 'string', format: 'quantity', description: '', priority: 0 },
  { name: 'memory', type: 'string', format: 'quantity', description: '', priority: 0 },
  { name: 'Window', type: 'string', format: 'duration', description: '', priority: 0 },
];

/** Usage of a node, or the sum over the containers of a pod; the values come as whole nanocores and kibibytes. */
export const metricsCells = (object: KubernetesObject): Cell[] => {
  const usages = object['usage'] === undefined ? objectsAt(object, 'containers') : [object];
  const sum = (name: string): number =>
    usages.reduce((total, usage) => total + Number.parseInt(textsAt(usage, 'usage')[name] ?? '0', 10), 0);
  return [object.metadata.name, `${sum('cpu')}n`, `${sum('memory')}Ki`, textAt(object, 'window')];
};
