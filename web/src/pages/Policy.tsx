import { useQuery } from '@tanstack/react-query';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Page, Problem, RowsSkeleton } from '@/components/basics';
import { DndLine } from '@/features/dnd/Status';
import { PolicyForm } from '@/features/policy/PolicyForm';
import { useT } from '@/i18n/i18n';

export default function Policy() {
    const t = useT();
    const query = useQuery({ queryKey: keys.policy, queryFn: () => unwrap(api.GET('/v1/settings/policy')) });
    return (
        <Page title={t('nav.policy')} purpose={t('policy.purpose')}>
            {query.isPending ? <RowsSkeleton count={8} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : (
                <div className="stack" style={{ gap: 24 }}><PolicyForm settings={query.data} /><DndLine /></div>
            )}
        </Page>
    );
}
