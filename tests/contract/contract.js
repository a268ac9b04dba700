/**
 * The HTTP contract in Node, for every test that talks to the API: requests and answers by operationId, checked by ajv,
 * which shares no code with the server's own checks.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import YAML from 'yaml';

export const root = fileURLToPath(new URL('../../', import.meta.url));
export const document = YAML.parse(readFileSync(`${root}api/openapi.yaml`, 'utf8'), { strict: true, uniqueKeys: true });

/** Follows $ref within the document. */
export function resolve(node) {
    while (node?.$ref !== undefined) {
        node = node.$ref.slice(2).split('/').reduce((at, token) => at[token.replaceAll('~1', '/').replaceAll('~0', '~')], document);
        if (node === undefined)
            throw new Error('a $ref leads nowhere');
    }
    return node;
}

/** operationId -> { path, method, operation }, and event type -> the same. */
export const operations = new Map();
export const events = new Map();
for (const [path, item] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(item))
        if (operation.operationId !== undefined)
            operations.set(operation.operationId, { path, method, operation });
for (const [type, item] of Object.entries(document.webhooks))
    events.set(type, { path: type, method: 'post', operation: item.post });

/** A copy in which objects take only the members that they name: clients must expect more, tests must not. */
function closed(node) {
    if (Array.isArray(node))
        return node.map(closed);
    if (node === null || typeof node !== 'object')
        return node;
    const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]));
    if (copy.type === 'object' && copy.properties !== undefined && copy.additionalProperties === undefined)
        copy.additionalProperties = false;
    return copy;
}

function ajvOf(components) {
    const ajv = new Ajv({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true, strictTypes: false });
    addFormats(ajv);
    /* Where ajv is laxer than RFC 3339 (a space for the T) or than we are (lower-case letters, a leap second, an empty host). */
    const { uri, 'date-time': time } = ajv.formats;
    ajv.addFormat('date-time', (text) => time.validate(text) && /^[0-9-]{10}T/.test(text) && !/z$|:60(?:[.Z+-]|$)/.test(text));
    ajv.addFormat('uri', (text) => uri(text) && !/^[^:]*:\/\/(?:[/?#]|$)/.test(text));
    ajv.addVocabulary(['discriminator', 'example', 'x-detail', 'x-scope', 'components']);
    ajv.addSchema({ $id: 'contract', components });
    return ajv;
}

const asked = ajvOf({ schemas: document.components.schemas });
const answered = ajvOf({ schemas: closed(document.components.schemas) });
const compiled = new Map();

/** Refs lead to the document that ajv was given. */
function withRefs(node) {
    return JSON.parse(JSON.stringify(node), (key, value) => (key === '$ref' ? `contract${value}` : value));
}

function validator(ajv, name, node) {
    if (!compiled.has(name))
        compiled.set(name, ajv.compile(withRefs(node)));
    return compiled.get(name);
}

function schemaOf(content, name) {
    const types = Object.keys(content ?? {});
    if (types.length !== 1)
        throw new Error(`${name} has ${types.length} media types`);
    return content[types[0]].schema;
}

/** ajv's validator of an operation's body. */
export function requestValidator(operationId) {
    const body = resolve(operations.get(operationId).operation.requestBody);
    return validator(asked, `ask ${operationId}`, schemaOf(body.content, operationId));
}

/** ajv's validator of an answer, closed; null for an answer without a body. A failure may fall under "default". */
export function responseValidator(operationId, status) {
    const { responses } = operations.get(operationId).operation;
    const response = resolve(responses[status] ?? (status >= 400 ? responses.default : undefined));
    if (response === undefined)
        throw new Error(`the contract has no ${status} for ${operationId}`);
    if (response.content === undefined)
        return null;
    return validator(answered, `answer ${operationId} ${status}`, closed(schemaOf(response.content, operationId)));
}

/** ajv's validator of what a webhook endpoint receives, closed. */
export function eventValidator(type) {
    const body = resolve(events.get(type).operation.requestBody);
    return validator(answered, `event ${type}`, closed(schemaOf(body.content, type)));
}

export function explain(validate) {
    return (validate.errors ?? []).map((error) => `${error.instancePath}: ${error.message}`).join('; ');
}
