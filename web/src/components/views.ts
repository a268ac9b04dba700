/** Filters that somebody keeps under a name, in this browser, for one workspace. */
export interface View { name: string; search: object }

const NAMES_MAX = 40, VIEWS_MAX = 30;

export function readViews(text: string | null): View[] {
    try {
        const kept: unknown = JSON.parse(text ?? '[]');
        if (!Array.isArray(kept))
            return [];
        return kept.filter((each: unknown): each is View => {
            const view = each as Partial<View> | null;
            return typeof view === 'object' && view !== null && typeof view.name === 'string' && view.name !== '' && view.name.length <= NAMES_MAX && typeof view.search === 'object';
        }).slice(0, VIEWS_MAX);
    } catch {
        return [];
    }
}

/** Under a name that is there it takes its place. */
export function withView(views: View[], view: View): View[] {
    const name = view.name.trim().slice(0, NAMES_MAX);
    return name === '' ? views : [...views.filter((each) => each.name !== name), { ...view, name }].slice(-VIEWS_MAX);
}

/** Whether two searches say the same: the order of members does not count. */
export function isSameSearch(one: object, other: object): boolean {
    const text = (search: object) => JSON.stringify(Object.entries(search).filter(([, value]) => value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1)));
    return text(one) === text(other);
}

export function viewsKey(place: string, workspace: string | undefined): string {
    return `harkara-views-${place}-${workspace ?? ''}`;
}
