// @ts-check
/** multipart/form-data (RFC 7578), as much of it as an upload needs. */

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string|null} filename
 * @property {string|null} type
 * @property {Buffer} bytes
 */

/** @param {Buffer} body @param {string} contentType @returns {Part[]|null} null: not well-formed */
export function parseMultipart(body, contentType) {
    const match = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i.exec(contentType);
    if (match === null)
        return null;
    const mark = Buffer.from(`--${match[1] ?? match[2]}`);
    const parts = /** @type {Part[]} */ ([]);
    let at = body.indexOf(mark);
    while (at >= 0) {
        const start = at + mark.length;
        if (body.subarray(start, start + 2).toString() === '--')
            return parts;
        const next = body.indexOf(Buffer.concat([Buffer.from('\r\n'), mark]), start);
        const headEnd = body.indexOf('\r\n\r\n', start);
        if (next < 0 || headEnd < 0 || headEnd > next)
            return null;
        const head = body.subarray(start, headEnd).toString('utf8');
        const name = /content-disposition:[^\r\n]*?[;\s]name="([^"]*)"/i.exec(head)?.[1];
        if (name === undefined)
            return null;
        parts.push({ name, filename: /[;\s]filename="([^"]*)"/i.exec(head)?.[1] ?? null,
            type: /content-type:\s*([^\r\n;]+)/i.exec(head)?.[1].trim().toLowerCase() ?? null, bytes: body.subarray(headEnd + 4, next) });
        at = next + 2;
    }
    return null;
}
