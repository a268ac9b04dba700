import { IconAlertTriangle, IconCircleCheck, IconCircleMinus, type Icon } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import type { DndRegistry } from '@/api/types';
import { When } from '@/components/basics';
import { useT } from '@/i18n/i18n';
import { dndQuery, stateOf, type DndState } from './queries';

const looks: Record<DndState, { icon: Icon; colour: string }> = { fresh: { icon: IconCircleCheck, colour: 'green' }, old: { icon: IconAlertTriangle, colour: 'orange' }, missing: { icon: IconCircleMinus, colour: 'grey' } };

export function DndBadge({ registry }: { registry: DndRegistry }) {
    const t = useT();
    const state = stateOf(registry);
    const { icon: Mark, colour } = looks[state];
    return <span className="badge" style={{ ['--st' as string]: `var(--st-${colour})` }}><Mark size={16} stroke={1.8} aria-hidden />{t(`dnd.state.${state}`)}</span>;
}

/** Beside the setting that asks it: how old the registry is, and the way to it. */
export function DndLine() {
    const t = useT();
    const query = useQuery(dndQuery);
    return (
        <p style={{ margin: 0, maxWidth: 640 }} className="line">
            {query.isSuccess && <><DndBadge registry={query.data} />{query.data.loaded && <span className="quiet" style={{ fontSize: 13 }}>{t('dnd.imported')} <When at={query.data.imported_at} /></span>}</>}
            <Link to="/dnd">{t('dnd.open')}</Link>
        </p>
    );
}
