import { expect, test } from 'vitest';
import { covers, differences, groupPermissions, isIdle, lostByLimit } from './authority';
import { readPeopleFilter } from './filter';

const agent = { id: 'agent', permissions: ['messages:send', 'messages:read'] as const };

test('nobody hands out more than they have, and only owners hand out ownership', () => {
    const role = { id: agent.id, permissions: [...agent.permissions] };
    expect(covers({ permissions: ['messages:send', 'messages:read', 'people:manage'], isOwner: false }, role)).toBe(true);
    expect(covers({ permissions: ['messages:read', 'people:manage'], isOwner: false }, role)).toBe(false);
    const owner = { id: 'owner', permissions: [...agent.permissions] };
    expect(covers({ permissions: [...agent.permissions], isOwner: false }, owner)).toBe(false);
    expect(covers({ permissions: [...agent.permissions], isOwner: true }, owner)).toBe(true);
});

test('every permission stands in one group, also one that nobody has heard of', () => {
    const all = ['messages:send', 'contact.identity.reveal', 'channels:read', 'keys:manage', 'roles:manage', 'audit:read', 'flying:do'];
    const groups = groupPermissions(all);
    expect(groups.flatMap((each) => each.permissions).sort()).toEqual([...all].sort());
    expect(groups.find((each) => each.group === 'workspace')?.permissions).toEqual(['audit:read', 'flying:do']);
    expect(groupPermissions(['messages:send']).map((each) => each.group)).toEqual(['messages']);
});

test('what a limit takes away is what the role would give for the whole workspace', () => {
    expect(lostByLimit(['keys:manage', 'messages:send'], [{ permission: 'keys:manage', is_whole_workspace: true }, { permission: 'messages:send', is_whole_workspace: false }, { permission: 'audit:read', is_whole_workspace: true }])).toEqual(['keys:manage']);
});

test('a change of a list is what comes and what goes', () => {
    expect(differences(['a', 'b'], ['b', 'c'])).toEqual({ added: ['c'], removed: ['a'] });
    expect(differences(['a'], ['a'])).toEqual({ added: [], removed: [] });
});

test('who was never here, or not for long, is idle', () => {
    const now = Date.parse('2026-06-01T00:00:00Z');
    expect(isIdle(null, now)).toBe(true);
    expect(isIdle('2026-05-20T00:00:00Z', now)).toBe(false);
    expect(isIdle('2026-03-01T00:00:00Z', now)).toBe(true);
});

test('the filter in the address is read, and nonsense is not', () => {
    expect(readPeopleFilter({ state: 'left' })).toEqual({ state: 'left' });
    expect(readPeopleFilter({ state: 'gone' })).toEqual({});
});
