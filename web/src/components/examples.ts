export const languages = [{ id: 'curl', name: 'curl' }, { id: 'node', name: 'Node' }, { id: 'python', name: 'Python' }, { id: 'php', name: 'PHP' }] as const;
export type LanguageId = (typeof languages)[number]['id'];

interface Request { method: string; url: string; bearer: string; body?: unknown }

const shell = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
/* A text in JSON is one in JavaScript too. */
const script = (text: string) => JSON.stringify(text);
const php = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** The same request in each language, ready to run; what is put in is quoted for its language. */
export function exampleOf(language: LanguageId, { method, url, bearer, body }: Request): string {
    const json = body === undefined ? null : JSON.stringify(body, null, 2);
    switch (language) {
    case 'curl':
        return [`curl -sS ${method === 'GET' ? '' : `-X ${method} `}${shell(url)}`, `  -H ${shell(`Authorization: Bearer ${bearer}`)}`, ...(json === null ? [] : [`  -H 'Content-Type: application/json'`, `  -d ${shell(json)}`])].join(' \\\n');
    case 'node':
        return `const answer = await fetch(${script(url)}, {\n  method: ${script(method)},\n  headers: { Authorization: ${script(`Bearer ${bearer}`)}${json === null ? '' : `, 'Content-Type': 'application/json'`} },\n${json === null ? '' : `  body: JSON.stringify(${json.replaceAll('\n', '\n  ')}),\n`}});\nconsole.log(answer.status, await answer.json());`;
    case 'python':
        return `import json, urllib.request\n\nrequest = urllib.request.Request(\n    ${script(url)},\n    method=${script(method)},\n    headers={"Authorization": ${script(`Bearer ${bearer}`)}${json === null ? '' : `, "Content-Type": "application/json"`}},\n${json === null ? '' : `    data=${script(JSON.stringify(body))}.encode(),\n`})\nprint(json.load(urllib.request.urlopen(request)))`;
    case 'php':
        return `<?php\n$context = stream_context_create(['http' => [\n    'method' => ${php(method)},\n    'header' => ${php(`Authorization: Bearer ${bearer}`)}${json === null ? '' : ` . "\\r\\nContent-Type: application/json"`},\n${json === null ? '' : `    'content' => ${php(JSON.stringify(body))},\n`}    'ignore_errors' => true,\n]]);\necho file_get_contents(${php(url)}, false, $context);`;
    }
}
