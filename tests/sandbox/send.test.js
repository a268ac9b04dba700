/** Sending, and the statuses that follow. */
import test from 'node:test';
import assert from 'node:assert/strict';
import { newId } from '../../sandbox/graph/wamid.js';
import { PERSON, PHONE, TOKEN, WABA, ask, startWorld } from './support.js';

test('an account is made with a handshake', async (t) => {
    const world = await startWorld(t);
    assert.deepEqual(world.made.handshake, { ok: true, status: 200, error: null });
    const refused = await world.control(`accounts/${WABA}`, { verify_token: 'something else', handshake: true }, 'PATCH');
    assert.equal(refused.body.handshake.ok, false);
    assert.equal(refused.body.handshake.status, 403);
});

test('a text is accepted and its statuses come signed, in order, with what the sender attached', async (t) => {
    const world = await startWorld(t, { settings: { auto_read: true } });
    const sent = await world.send({ to: '+1 (650) 555-1234', text: { body: 'Grüße 👍 a/b' }, biz_opaque_callback_data: 'msg-1' });
    assert.equal(sent.status, 200);
    assert.equal(sent.body.messaging_product, 'whatsapp');
    assert.equal(sent.body.contacts[0].input, '+1 (650) 555-1234');
    assert.equal(sent.body.contacts[0].wa_id, PERSON);
    const { id } = sent.body.messages[0];
    const bytes = Buffer.from(id.replace(/^wamid\./, ''), 'base64');
    assert.equal(bytes.toString('latin1').replace(/[0-9A-F]{18}/, '#'), `\x1c\x18\x0b${PERSON}\x15\x02\x00\x11\x18\x12#\x00`);
    await world.callback.until((callback) => callback.statuses.length === 3);
    assert.deepEqual(world.callback.statuses.map((status) => status.status), ['sent', 'delivered', 'read']);
    assert.equal(world.callback.badSignatures, 0);
    for (const status of world.callback.statuses) {
        assert.equal(status.id, id);
        assert.equal(status.recipient_id, PERSON);
        assert.equal(status.biz_opaque_callback_data, 'msg-1');
        assert.match(status.timestamp, /^[0-9]{10}$/);
    }
    const [post] = world.callback.posts;
    assert.equal(post.json.object, 'whatsapp_business_account');
    assert.equal(post.json.entry[0].id, WABA);
    assert.deepEqual(post.json.entry[0].changes[0].value.metadata, { display_phone_number: '15550783881', phone_number_id: PHONE });
});

test('any version in the path is the same, and none too', async (t) => {
    const world = await startWorld(t);
    for (const version of ['/v19.0', '/v26.0', '/v100.1', '']) {
        const sent = await ask(`${world.url}${version}/${PHONE}/messages`, { token: TOKEN, body: { messaging_product: 'whatsapp', to: PERSON, text: { body: 'x' } } });
        assert.equal(sent.status, 200, version);
    }
});

test('ids are numbers that JSON carries whole', () => {
  for (let i = 0; i < 2000; i++) {
    const id = newId();
    assert.equal(JSON.stringify(Number(id)), id);
  }
});
