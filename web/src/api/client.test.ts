import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { api, changingToken, cure, setCsrfToken, setStepUp, UNATTENDED_MS } from './client';

const refused = (status: number, code: string) => new Response(JSON.stringify({ type: 'x', title: 'x', status, code, instance: '/requests/x' }), { status, headers: { 'content-type': 'application/problem+json' } });
const change = () => new Request('http://localhost/v1/me/totp', { method: 'POST', body: '{"code":"1"}', headers: { 'X-CSRF-Token': 'old' } });
const seen: { token: string | null; body: string }[] = [];
/** Answers in turn, and notes what was asked. */
function answers(...list: Response[]) {
    return async (request: Request) => {
        seen.push({ token: request.headers.get('X-CSRF-Token'), body: await request.text() });
        const next = list.shift();
        if (next === undefined)
            throw new Error('asked once too often');
        return next;
    };
}

beforeEach(() => { seen.length = 0; setCsrfToken('old'); });
afterEach(() => { setStepUp(null); setCsrfToken(null); vi.unstubAllGlobals(); vi.useRealTimers(); });

test('what wants a fresh factor is asked again with its body when one was shown, under the new token', async () => {
    setStepUp(() => { setCsrfToken('new'); return Promise.resolve(true); });
    expect((await cure(refused(403, 'step-up-needed'), change(), answers(new Response('{}', { status: 200 })))).status).toBe(200);
    expect(seen).toEqual([{ token: 'new', body: '{"code":"1"}' }]);
});

test('it fails as it was when none was shown, or nobody can ask', async () => {
    setStepUp(() => Promise.resolve(false));
    const was = refused(403, 'step-up-needed');
    expect(await cure(was, change(), answers())).toBe(was);
    setStepUp(null);
    expect(await cure(was, change(), answers())).toBe(was);
});

test('a server that is never content is not asked for ever', async () => {
    const ask = vi.fn(() => Promise.resolve(true));
    setStepUp(ask);
    expect((await cure(refused(403, 'step-up-needed'), change(), answers(refused(403, 'step-up-needed')))).status).toBe(403);
    expect(ask).toHaveBeenCalledTimes(1);
});

test('a token that another window has changed is read, and then a factor may still be wanted', async () => {
    vi.stubGlobal('fetch', () => Promise.resolve(new Response('{"csrf_token":"theirs"}', { status: 200 })));
    setStepUp(() => { setCsrfToken('mine'); return Promise.resolve(true); });
    const answer = await cure(refused(403, 'csrf-refused'), change(), answers(refused(403, 'step-up-needed'), new Response(null, { status: 204 })));
    expect(answer.status).toBe(204);
    expect(seen.map(({ token }) => token)).toEqual(['theirs', 'mine']);
});

test('what was under way while the token changed waits for the new one, and is asked again', async () => {
    let done: (session: { csrf_token: string }) => void = () => undefined;
    const changing = changingToken(new Promise<{ csrf_token: string }>((resolve) => { done = resolve; }));
    const asked = cure(refused(401, 'session-needed'), new Request('http://localhost/v1/messages'), answers(new Response('{}', { status: 200 })));
    await Promise.resolve();
    expect(seen).toEqual([]);
    done({ csrf_token: 'new' });
    expect((await asked).status).toBe(200);
    expect((await changing).csrf_token).toBe('new');
});

test('a session that has ended is found out by one more question, and by none when there was none', async () => {
    expect((await cure(refused(401, 'session-needed'), new Request('http://localhost/v1/messages'), answers(refused(401, 'session-needed')))).status).toBe(401);
    expect(seen.length).toBe(1);
    setCsrfToken(null);
    expect((await cure(refused(401, 'session-needed'), new Request('http://localhost/v1/messages'), answers())).status).toBe(401);
});

test('other refusals are answers like any', async () => {
    for (const was of [refused(403, 'scope-missing'), refused(401, 'code-refused'), refused(404, 'step-up-needed'), new Response('no', { status: 403 })])
        expect(await cure(was, change(), answers())).toBe(was);
});

test('a page that nobody has touched for a while says so', async () => {
    const said: (string | null)[] = [];
    const fetch = (request: Request) => {
        said.push(request.headers.get('X-Harkara-Unattended'));
        return Promise.resolve(new Response('{}', { status: 200, headers: { 'content-type': 'application/json' } }));
    };
    vi.useFakeTimers({ toFake: ['Date'] });
    await api.GET('/v1/session', { fetch });
    vi.setSystemTime(Date.now() + UNATTENDED_MS);
    await api.GET('/v1/session', { fetch });
    expect(said).toEqual([null, '1']);
});

test('several words of a filter go as the contract has them: once, with commas', async () => {
    const asked: string[] = [];
    const fetch = (request: Request) => { asked.push(request.url); return Promise.resolve(new Response('{"data":[]}', { status: 200 })); };
    await api.GET('/v1/messages', { params: { query: { status: ['blocked', 'held'] } }, fetch });
    expect(asked).toEqual(['http://localhost/v1/messages?status=blocked,held']);
});
