// Holds an object against Kubernetes' own OpenAPI schema, as its JavaScript client has it: every field has to exist and be of its type.
import * as kubernetes from '@kubernetes/client-node';

interface Attribute {
  name: string;
  baseName: string;
  type: string;
}

const models = kubernetes as unknown as Record<string, { getAttributeTypeMap?: () => Attribute[] } | undefined>;

/** `apps/v1` Deployment -> V1Deployment; undefined: a custom resource. */
export function modelOf(apiVersion: string, kind: string): string | undefined {
  const [group, version = group] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  if (group?.includes('.') && !group.endsWith('.k8s.io')) return undefined;
  const name = `${version?.charAt(0).toUpperCase()}${version?.slice(1)}${kind}`;
  return models[name]?.getAttributeTypeMap ? name : undefined;
}

/** Every field that is unknown or of a wrong type, with its path. */
export function checkFields(value: unknown, type: string, path: string): string[] {
  const list = /^Array<(.*)>$/.exec(type)?.[1];
  if (list) {
    if (!Array.isArray(value)) return [`${path}: a list is expected`];
    return value.flatMap((item, index) => checkFields(item, list, `${path}[${index}]`));
  }
  const values = /^\{ \[key: string\]: (.*?);? \}$/.exec(type)?.[1];
  if (values) return entries(value).flatMap(([name, item]) => checkFields(item, values, `${path}.${name}`));
  const attributes = models[type]?.getAttributeTypeMap?.();
  if (attributes) return entries(value).flatMap(([name, item]) => checkAttribute(name, item, attributes, path));
  if (type === 'string' || type === 'number' || type === 'boolean') {
    // A quantity may be written as a number.
    const isOf = typeof value === type || (type === 'string' && /resources|limits|requests/.test(path));
    return isOf ? [] : [`${path}: ${type} expected, it is ${JSON.stringify(value)}`];
  }
  return [];
}

function checkAttribute(name: string, value: unknown, attributes: Attribute[], path: string): string[] {
  const attribute = attributes.find(({ baseName }) => baseName === name);
  return attribute
    ? checkFields(value, attribute.type, `${path}.${name}`)
    : [`${path}.${name}: there is no such field`];
}

const entries = (value: unknown): [string, unknown][] =>
  typeof value === 'object' && value !== null ? Object.entries(value) : [];
