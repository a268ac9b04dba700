/** What the reference shows of the contract: read as it is served, so it is never behind. */
export interface Parameter { name: string; in: string; required: boolean; description: string }
export interface Operation { id: string; method: string; path: string; tag: string; summary: string; description: string; scope: string | null; parameters: Parameter[]; example: unknown; hasBody: boolean; answers: { status: string; description: string }[] }

type Tree = Record<string, unknown>;
const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;

function tree(value: unknown): Tree | null {
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value as Tree : null;
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function resolved(document: Tree, value: unknown): Tree | null {
    const at = tree(value);
    const reference = at === null ? '' : text(at['$ref']);
    if (!reference.startsWith('#/'))
        return at;
    return tree(reference.slice(2).split('/').reduce<unknown>((inside, part) => tree(inside)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document));
}

export function readContract(value: unknown): Operation[] {
    const document = tree(value);
    const operations: Operation[] = [];
    for (const [path, item] of Object.entries(tree(document?.['paths']) ?? {}))
        for (const method of methods) {
            const operation = tree(tree(item)?.[method]);
            if (document === null || operation === null)
                continue;
            const parameters = [...(Array.isArray(tree(item)?.['parameters']) ? tree(item)?.['parameters'] as unknown[] : []), ...(Array.isArray(operation['parameters']) ? operation['parameters'] as unknown[] : [])].flatMap((each) => {
                const parameter = resolved(document, each);
                return parameter === null ? [] : [{ name: text(parameter['name']), in: text(parameter['in']), required: parameter['required'] === true, description: text(parameter['description']) }];
            });
            const body = tree(tree(resolved(document, operation['requestBody'])?.['content'])?.['application/json']);
            const examples = tree(body?.['examples']);
            operations.push({
                id: text(operation['operationId']), method: method.toUpperCase(), path, tag: Array.isArray(operation['tags']) ? text(operation['tags'][0]) : '', summary: text(operation['summary']), description: text(operation['description']),
                scope: text(operation['x-scope']) === '' ? null : text(operation['x-scope']), parameters, hasBody: body !== null,
                example: examples === null ? body?.['example'] : tree(Object.values(examples)[0])?.['value'],
                answers: Object.entries(tree(operation['responses']) ?? {}).map(([status, answer]) => ({ status, description: text(resolved(document, answer)?.['description']) })),
            });
        }
    return operations;
}

export function matches(operation: Operation, query: string): boolean {
    const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '');
    const hay = `${operation.method} ${operation.path} ${operation.summary} ${operation.id} ${operation.tag}`.toLowerCase();
    return words.every((word) => hay.includes(word));
}

/** The path with its parameters in place; null while one that it needs is missing. */
export function targetOf(operation: Operation, values: Record<string, string>): string | null {
    const missing: string[] = [];
    const path = operation.path.replace(/\{([^}]+)\}/g, (_, name: string) => {
        const value = values[name] ?? '';
        if (value === '')
            missing.push(name);
        return encodeURIComponent(value);
    });
    const query = new URLSearchParams(operation.parameters.filter((parameter) => parameter.in === 'query' && (values[parameter.name] ?? '') !== '').map((parameter) => [parameter.name, values[parameter.name] ?? '']));
    return missing.length === 0 ? `${path}${query.size === 0 ? '' : `?${query.toString()}`}` : null;
}
