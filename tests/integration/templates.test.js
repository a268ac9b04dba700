// @ts-check
/** Templates: from their definition through WhatsApp's review to their end, and the sends that use them. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startPlatform, until } from './support.js';

/** @type {Awaited<ReturnType<typeof startPlatform>>} */
let platform;
let shop;
before(async () => {
    platform = await startPlatform();
    shop = await platform.workspace({ endpoint: true });
});
after(() => platform?.stop());

const body = (text, ...values) => ({ type: 'BODY', text, ...(values.length ? { example: { body_text: [values] } } : {}) });
const definition = (name, more = {}) => ({ channel_id: shop.channel, name, language: 'en_US', category: 'utility',
    components: [body('Your order {{1}} arrives on {{2}}, with us.', 'A-1', 'Friday')], ...more });
const create = (name, more) => shop.client.must(202, 'POST', '/v1/templates', definition(name, more));
const read = (id) => shop.client.must(200, 'GET', `/v1/templates/${id}`);
const inState = (id, state) => until(async () => {
    const now = await read(id);
    return now.state === state && now.change === null && now;
}, `${id} to be ${state}`);
const told = (type, id) => until(() => shop.receiver.events().find((event) => event.type === type && event.data.template_id === id), `${type} of ${id}`);

describe('a template', () => {
    test('is handed in, reviewed, told and read back', async () => {
        const made = await create('order_sent');
        assert.equal(made.state, 'submitting');
        assert.equal(made.change, 'create');
        const now = await inState(made.id, 'approved');
        assert.match(now.provider_id, /^[0-9]+$/);
        assert.equal(now.components[0].type, 'BODY');
        const event = await told('template.state-changed', made.id);
        assert.equal(event.data.channel_id, shop.channel);
    });
});
