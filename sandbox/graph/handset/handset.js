// @ts-check
import { serveFile } from '../pages.js';

/** @param {import('../sandbox.js').Sandbox} sb @param {import('../http_io.js').Request} req @param {import('../http_io.js').Response} res @param {URL} url */
export async function serveHandset(sb, req, res, url) {
    serveFile(res, 'handset', url.pathname.split('/')[2] ?? 'index.html');
}
