/** Every query's key, so that what changes can name what it makes stale. */
export const keys = {
    session: ['session'] as const,
    overview: ['overview'] as const,
    contract: ['contract'] as const,
    messages: { all: ['messages'] as const, list: (filter: object) => ['messages', 'list', filter] as const, top: (filter: object) => ['messages', 'top', filter] as const, one: (id: string) => ['messages', 'one', id] as const },
    channels: { all: ['channels'] as const, list: ['channels', 'list'] as const, one: (id: string) => ['channels', 'one', id] as const, number: (id: string) => ['channels', 'number', id] as const, limits: (id: string) => ['channels', 'limits', id] as const, window: (id: string, to: string) => ['channels', 'window', id, to] as const, operations: (id: string) => ['channels', 'operations', id] as const },
    templates: { all: ['templates'] as const, list: (filter: object) => ['templates', 'list', filter] as const, one: (id: string) => ['templates', 'one', id] as const },
    apiKeys: { all: ['api-keys'] as const, list: ['api-keys', 'list'] as const, one: (id: string) => ['api-keys', 'one', id] as const },
    endpoints: { all: ['endpoints'] as const, list: ['endpoints', 'list'] as const, one: (id: string) => ['endpoints', 'one', id] as const, deliveries: (id: string, filter: object) => ['endpoints', 'deliveries', id, filter] as const, delivery: (id: string) => ['endpoints', 'delivery', id] as const },
    usage: ['usage'] as const,
    channelUsage: ['usage', 'channels'] as const,
    audit: { checkpoints: ['audit', 'checkpoints'] as const, list: (filter: object) => ['audit', 'list', filter] as const, one: (id: string) => ['audit', 'one', id] as const, proof: (id: string, root: string) => ['audit', 'proof', id, root] as const },
    me: { all: ['me'] as const, person: ['me', 'person'] as const, passkeys: ['me', 'passkeys'] as const, sessions: ['me', 'sessions'] as const, totp: ['me', 'totp'] as const, recoveryCodes: ['me', 'recovery-codes'] as const, identities: ['me', 'identities'] as const, providers: ['providers'] as const },
    settings: ['settings'] as const,
    team: { all: ['team'] as const, people: (filter: object) => ['team', 'people', filter] as const, everybody: ['team', 'everybody'] as const, person: (id: string) => ['team', 'person', id] as const, access: (id: string) => ['team', 'access', id] as const, invitations: ['team', 'invitations'] as const, teams: ['team', 'teams'] as const, roles: ['team', 'roles'] as const, permissions: ['team', 'permissions'] as const, reviews: ['team', 'reviews'] as const, review: (id: string) => ['team', 'review', id] as const },
};
