/** The mail relay that delivers nothing: what it keeps, shows and refuses. */
import assert from 'node:assert/strict';
import net from 'node:net';
import { once } from 'node:events';
import test from 'node:test';
import { startSandbox } from '../../sandbox/graph/server.js';
import { defer } from './support.js';

/** Says each line when the one before was answered; gives the answers' codes. */
async function dialogue(port, lines) {
    const socket = net.connect(port, '127.0.0.1').setEncoding('latin1');
    let heard = '';
    socket.on('data', (part) => (heard += part));
    const answer = async () => {
        for (;;) {
            const found = /^(?:\d{3}-[^\r]*\r\n)*(\d{3}) [^\r]*\r\n/.exec(heard);
            if (found !== null) {
                heard = heard.slice(found[0].length);
                return Number(found[1]);
            }
            await once(socket, 'data');
        }
    };
    const codes = [await answer()];
    for (const line of lines) {
        socket.write(`${line}\r\n`, 'latin1');
        codes.push(await answer());
    }
    socket.destroy();
    return codes;
}

async function start(t) {
    const running = await startSandbox({ mail: { host: '127.0.0.1', port: 0 } });
    defer(t, () => running.stop());
    return { ...running, port: Number(new URL(running.mail_url).port), get: async (path) => fetch(`${running.url}/_sandbox/${path}`) };
}

const latin1 = (text) => Buffer.from(text).toString('latin1');
const MAIL = ['Subject: =?utf-8?B?4KSo4KSu4KS4?=', ' =?utf-8?B?4KWN4KSk4KWH?=', 'Content-Type: multipart/alternative;', ' boundary="=_x"', '',
    '--=_x', 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '', 'A line that is =', 'soft, =E2=9C=93', '..dot',
    '--=_x', 'Content-Type: text/html; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '', '<p>A <b>line</b>.</p>', '--=_x--', '.'].join('\r\n');

test('a mail is kept as a person reads it, and shown as the page that it is', async (t) => {
    const sandbox = await start(t);
    assert.deepEqual(await (await sandbox.get('mails')).json(), { data: [], is_relay: true });
    assert.deepEqual(await dialogue(sandbox.port, ['EHLO me', 'MAIL FROM:<a@example.org>', `RCPT TO:<${latin1('ä@example.org')}>`, 'RCPT TO:<c@example.org>', 'DATA', MAIL, 'QUIT']),
        [220, 250, 250, 250, 250, 354, 250, 221]);
    const { data: [mail] } = await (await sandbox.get('mails')).json();
    assert.deepEqual([mail.from, mail.to, mail.subject, mail.text], ['a@example.org', ['ä@example.org', 'c@example.org'], 'नमस्ते', 'A line that is soft, ✓\n.dot']);
    const page = await sandbox.get(`mails/${mail.id}/html`);
    assert.equal(await page.text(), '<p>A <b>line</b>.</p>');
    assert.match(page.headers.get('content-security-policy'), /default-src 'none'.*sandbox/);
    assert.match((await (await sandbox.get(`mails/${mail.id}`)).json()).raw, /^Subject: /);
    for (const path of ['mails/99', 'mails/99/html'])
        assert.equal((await sandbox.get(path)).status, 404);
});

test('what is out of order is refused, and one dialogue brings several mails', async (t) => {
    const sandbox = await start(t);
    assert.deepEqual(await dialogue(sandbox.port, ['DATA', 'RCPT TO:<>', 'WHAT', 'MAIL FROM', 'MAIL FROM:<>', 'DATA', 'RCPT TO:<a@example.org>', 'RSET', 'DATA', 'NOOP']),
        [220, 502, 502, 502, 502, 250, 502, 250, 250, 502, 250]);
    assert.deepEqual(await dialogue(sandbox.port, ['HELO me', ...['one', 'two'].flatMap((text) => ['MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.org>', 'DATA', `Subject: ${text}\r\n\r\n${text}\r\n.`])]),
        [220, 250, 250, 250, 354, 250, 250, 250, 354, 250]);
    assert.deepEqual((await (await sandbox.get('mails')).json()).data.map(({ subject, text }) => [subject, text]), [['one', 'one'], ['two', 'two']]);
    assert.deepEqual(await dialogue(sandbox.port, ['MAIL FROM:<a@example.org>', 'RCPT TO:<b@example.org>', 'DATA', `${'x'.repeat(1000)}\r\n`.repeat(1100) + '.']), [220, 250, 250, 354, 552]);
    assert.equal((await (await sandbox.get('mails')).json()).data.length, 2);
});

test('a sandbox without a relay says so', async (t) => {
    const running = await startSandbox({});
    defer(t, () => running.stop());
    assert.equal(running.mail_url, null);
    assert.deepEqual(await (await fetch(`${running.url}/_sandbox/mails`)).json(), { data: [], is_relay: false });
});
