// @ts-check
/**
 * Packs what Vite built into the one file that the gateway reads at its start (its layout: src/program/gateway/dashboard.h), each
 * file with its compressed forms beside it. Usage: node scripts/pack.js FOLDER PACK
 */
import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';

const types = {
    '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8',
    '.svg': 'image/svg+xml', '.woff2': 'font/woff2', '.json': 'application/json', '.txt': 'text/plain; charset=utf-8',
};

const [folder = '', target = ''] = process.argv.slice(2);
const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    .map((entry) => path.posix.relative(folder, path.posix.join(entry.parentPath, entry.name)));

const files = names.map((name) => {
    const type = types[path.extname(name)];
    if (type === undefined)
        throw new Error(`${name}: no media type is known for it`);
    const bytes = readFileSync(path.join(folder, name));
    const isPage = name === 'index.html';
    const compress = !isPage && !name.endsWith('.woff2'); /* the page is made for each answer, with its nonce */
    const brotli = compress ? zlib.brotliCompressSync(bytes, { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 11, [zlib.constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }) : Buffer.alloc(0);
    const gzip = compress ? zlib.gzipSync(bytes, { level: 9 }) : Buffer.alloc(0);
    const forms = [bytes, brotli, gzip].map((form) => (form === bytes || form.length < bytes.length ? form : Buffer.alloc(0)));
    return { path: isPage ? '/' : `/${name}`, type, isImmutable: name.startsWith('assets/'), forms };
}).sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));

const u8 = (n) => Buffer.from([n]);
const u16 = (n) => { const b = Buffer.alloc(2); b.writeUInt16BE(n); return b; };
const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32BE(n); return b; };
const text = (value) => Buffer.concat([u16(Buffer.byteLength(value)), Buffer.from(value)]);

const parts = [Buffer.from('HKDASH01'), u32(files.length)];
for (const file of files)
    parts.push(text(file.path), text(file.type), u8(file.isImmutable ? 1 : 0), ...file.forms.map((form) => u32(form.length)));
for (const file of files)
    parts.push(...file.forms);
writeFileSync(`${target}.new`, Buffer.concat(parts));
renameSync(`${target}.new`, target);
