// @ts-check
/** The DND registry: made on the command line, taken up by processes that run, asked by the API. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
/** @type {Awaited<ReturnType<typeof platform.workspace>>} */
let shop;
/** @type {(...words: string[]) => Promise<{code: number, stdout: string, stderr: string}>} */
let cli;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ channel: false });
    cli = (...words) => platform.harkara.cli('dnd', ...words);
});
after(() => platform?.stop());

/** @param {string} name @param {string} text */
function list(name, text) {
    const file = path.join(platform.folder, name);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
}

const registry = () => shop.client.must(200, 'GET', '/v1/dnd');
/** @param {string} recipient @param {Record<string, unknown>} [more] */
const look = (recipient, more) => shop.client.must(200, 'POST', '/v1/dnd/lookup', { recipient, ...more });
/** @param {number | null} count */
const taken = (count) => until(async () => (await registry()).number_count === count, `the gateway has ${count} numbers`, 60000);

describe('the registry', () => {
    test('is not there until somebody imports one', async () => {
        assert.deepEqual(await registry(), { loaded: false, number_count: null, imported_at: null, age_seconds: null, is_old: false, old_after_days: 7, source: null });
        assert.deepEqual(await look('+919876543210'), { verdict: 'unknown', until: null, blocked: null, registry_imported_at: null });
        assert.equal((await cli('status')).code, 67);
        assert.equal((await cli('clear')).code, 67);
        assert.equal((await cli('import', '--update', list('none.csv', '9876543210\n'))).code, 67);
        assert.match((await platform.harkara.cli('status')).stdout, /DND registry: none/);
    });

    test('is imported while everything runs, and looked up', async () => {
        const register = list('register.csv', 'Service Area Code,Phone Numbers,Preferences,Opstype,Phone Type\r\n1,9876543210,0,A,2\r\n1,9876543211,1#4,A,2\r\n');
        const done = await cli('import', '--source', 'November', '--json', register);
        assert.equal(done.code, 0, done.stderr);
        assert.equal(JSON.parse(done.stdout).number_count, 2);
        await taken(2);
        const now = await registry();
        assert.deepEqual({ ...now, imported_at: 0, age_seconds: 0 }, { loaded: true, number_count: 2, imported_at: 0, age_seconds: 0, is_old: false, old_after_days: 7, source: 'November' });
        assert.equal((await look('+919876543210')).verdict, 'blocked');
        assert.deepEqual((await look('+919876543210')).blocked, { categories: [0], modes: [], hours: [], days: [] });
        const some = await look('+919876543211', { category: 3 });
        assert.equal(some.verdict, 'blocked');
        assert.deepEqual(some.blocked.categories, [2, 3, 5, 6, 7, 8]);
        assert.equal((await look('+919876543211', { category: 4 })).verdict, 'clear');
        assert.deepEqual(await look('+919876543212'), { verdict: 'clear', until: null, blocked: null, registry_imported_at: now.imported_at });
        assert.equal((await look('+14155550123')).verdict, 'not-applicable');
        const status = await platform.harkara.cli('status', '--json');
        assert.equal(JSON.parse(status.stdout).dnd.number_count, 2);
        assert.match((await cli('status')).stdout, /numbers +2\n/);
    });

    test('changes by a further list', async () => {
        const delta = list('delta.csv', 'number,preferences,opstype,modes,bands,days\n9876543210,,D,,,\n9876543213,"1,2,3,4,5,6,7,8",A,1,,\n9876543214,1,A,,,8\n9876543215,0,A,,,\n');
        const done = await cli('import', '--update', delta);
        assert.equal(done.code, 0, done.stderr);
        await taken(4);
        assert.equal((await look('+919876543210')).verdict, 'clear');
        assert.equal((await look('+919876543213', { category: 1 })).verdict, 'blocked');
        assert.equal((await look('+919876543213', { category: 1, mode: 'voice' })).verdict, 'clear');
        assert.equal((await look('+919876543214', { category: 1 })).verdict, 'blocked'); // on no day of the week
        assert.equal((await registry()).source, 'delta.csv');
    });

    test('stays as it was when a list is not believed', async () => {
        const shorter = await cli('import', list('short.csv', '9876543210\n'));
        assert.equal(shorter.code, 65, shorter.stderr);
        assert.match(shorter.stderr, /only 1 numbers, and there were 4/);
        const rubbish = await cli('import', list('rubbish.csv', '9876543210\nhello\n9876543212\n9876543213\n'));
        assert.equal(rubbish.code, 65);
        assert.match(rubbish.stderr, /rubbish\.csv:2: /);
        assert.doesNotMatch(rubbish.stderr, /hello/);
        assert.equal((await cli('import', list('other.csv', 'preferences\n0\n'))).code, 65);
        assert.equal((await cli('import', path.join(platform.folder, 'not-there.csv'))).code, 67);
        assert.equal((await registry()).number_count, 4);
        assert.equal((await cli('import', '--force', list('forced.csv', '9876543210\nhello\n'))).code, 0);
        await taken(1);
    });

    test('each look at a number is in the audit log, without the number', async () => {
        const count = () => Number(platform.sql(`select count(*) from harkara.audit_entry where action = 'dnd.looked_up'`).trim());
        const before = count();
        await look('+919876543210');
        assert.equal(count(), before + 1);
        assert.doesNotMatch(platform.sql(`select coalesce(string_agg(e::text, ' '), '') from harkara.audit_entry e where action = 'dnd.looked_up'`), /9876543210/);
        for (const body of [{}, { recipient: '9876543210' }, { recipient: '+919876543210', category: 9 }, { recipient: '+919876543210', mode: 'fax' }])
            assert.equal((await shop.client.call('POST', '/v1/dnd/lookup', body)).status, 422, JSON.stringify(body));
        assert.equal(count(), before + 1);
    });

    test('a promotional SMS to whom does not want it is blocked, unless there is consent', async () => {
        const channel = (await shop.client.must(201, 'POST', '/v1/channels', { kind: 'sms', name: 'Promotions', sms: { sender: 'PLANTS', sender_kind: 'alphanumeric' } })).id;
        await shop.client.must(200, 'PATCH', '/v1/settings/policy', { consent: { sms: { promotional: 'unless-withdrawn' } }, quiet_hours: { enabled: false } });
        const check = (/** @type {string} */ to, /** @type {string} */ category) => shop.client.must(202, 'POST', '/v1/messages', { channel_id: channel, to, category, content: { type: 'text', text: { body: 'New plants.' } } });
        const blocked = await check('+919876543210', 'promotional');
        assert.equal(blocked.status, 'blocked');
        assert.equal((await check('+919876543219', 'promotional')).status, 'accepted');
        assert.equal((await check('+919876543210', 'service')).status, 'accepted');
        assert.match(JSON.stringify(await shop.client.must(200, 'GET', `/v1/messages/${blocked.id}`)), /"rule":"dnd"/);
    });

    test('can be removed', async () => {
        assert.equal((await cli('clear')).code, 0);
        await taken(null);
        assert.equal((await look('+919876543210')).verdict, 'unknown');
    });
});
