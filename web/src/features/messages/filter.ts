/** What the list of messages is filtered by, as it stands in the address. */
export interface MessageFilter {
    status?: string[];
    channel?: string;
    direction?: 'inbound' | 'outbound';
    category?: string;
    to?: string;
    reference?: string;
    tag?: string;
    after?: string;
    before?: string;
}

const statuses = ['accepted', 'queued', 'held', 'sending', 'sent', 'delivered', 'read', 'blocked', 'failed', 'uncertain', 'expired', 'canceled', 'received'] as const;
const categories = ['otp', 'transactional', 'service', 'promotional'] as const;
export const messageStatuses: readonly string[] = statuses;
export const messageCategories: readonly string[] = categories;

function text(value: unknown): string | undefined {
    if (typeof value === 'number') /* an address may hold a number where a text is meant */
        return String(value);
    return typeof value === 'string' && value !== '' ? value : undefined;
}

/** From an address, which anybody may have written: what it does not understand is left out. */
export function readMessageFilter(search: Record<string, unknown>): MessageFilter {
    const filter: MessageFilter = {};
    const asked = search['status'];
    const status = (Array.isArray(asked) ? asked : [asked]).filter((each) => typeof each === 'string' && messageStatuses.includes(each)) as string[];
    if (status.length !== 0)
        filter.status = [...new Set(status)];
    const direction = search['direction'];
    if (direction === 'inbound' || direction === 'outbound')
        filter.direction = direction;
    const category = text(search['category']);
    if (category !== undefined && messageCategories.includes(category))
        filter.category = category;
    const channel = text(search['channel']);
    if (channel !== undefined && /^chn_[0-9a-z]{26}$/.test(channel))
        filter.channel = channel;
    for (const name of ['to', 'reference', 'tag'] as const) {
        const value = text(search[name]);
        if (value !== undefined)
            filter[name] = value;
    }
    for (const name of ['after', 'before'] as const) {
        const value = text(search[name]);
        if (value !== undefined && !Number.isNaN(Date.parse(value)))
            filter[name] = value;
    }
    return filter;
}

/** E.164, as people write numbers: with blanks, hyphens and brackets, perhaps with 00 in front. */
export function readNumber(typed: string): string {
    const digits = typed.replace(/[\s().-]/g, '').replace(/^00/, '+');
    return /^\d{11,15}$/.test(digits) ? `+${digits}` : digits;
}

/** As GET /v1/messages wants it. */
export function messageQuery(filter: MessageFilter): Record<string, unknown> {
    return {
        ...(filter.status === undefined ? {} : { status: filter.status }),
        ...(filter.channel === undefined ? {} : { channel_id: filter.channel }),
        ...(filter.direction === undefined ? {} : { direction: filter.direction }),
        ...(filter.category === undefined ? {} : { category: filter.category }),
        ...(filter.to === undefined ? {} : { to: readNumber(filter.to) }),
        ...(filter.reference === undefined ? {} : { reference: filter.reference }),
        ...(filter.tag === undefined ? {} : { tag: filter.tag }),
        ...(filter.after === undefined ? {} : { created_after: new Date(filter.after).toISOString() }),
        ...(filter.before === undefined ? {} : { created_before: new Date(filter.before).toISOString() }),
    };
}
