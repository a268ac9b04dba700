export const memberStates = ['active', 'suspended', 'left'] as const;
export type MemberState = typeof memberStates[number];

export function readPeopleFilter(search: Record<string, unknown>): { state?: MemberState } {
    const state = memberStates.find((each) => each === search['state']);
    return state === undefined ? {} : { state };
}
