import { Button, Skeleton } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { IconAlertTriangle, IconCircleCheck } from '@tabler/icons-react';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import type { ConsentNotice as Notice } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, Facts, Problem, When } from '@/components/basics';
import { Sheet } from '@/components/Sheet';
import { sha256Hex, termNames, termText } from '@/features/consent/notice';
import { noticeOne } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/notices/$noticeId');

/** That the words shown are the words that were kept: computed here. */
function Hash({ notice }: { notice: Notice }) {
    const t = useT();
    const own = useQuery({ queryKey: ['consents', 'hash', notice.id], staleTime: Infinity, queryFn: () => sha256Hex(notice.text) });
    if (own.data === undefined)
        return <span className="quiet">{t('consent.notice.hash.checking')}</span>;
    const isGood = own.data === notice.sha256;
    return <span className="line" style={{ flexWrap: 'nowrap', alignItems: 'flex-start' }}>{isGood ? <IconCircleCheck size={18} aria-hidden style={{ color: 'var(--st-green)', flex: 'none' }} /> : <IconAlertTriangle size={18} aria-hidden style={{ color: 'var(--st-red)', flex: 'none' }} />}<span>{t(isGood ? 'consent.notice.hash.good' : 'consent.notice.hash.bad')}</span></span>;
}

export default function ConsentNotice() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const { noticeId } = route.useParams();
    const query = useQuery(noticeOne(noticeId));
    const notice = query.data;
    return (
        <Sheet title={notice === undefined ? t('consent.notice') : `${notice.name} ${String(notice.version)} (${notice.language})`} label={t('consent.notice')} onClose={() => { void navigate({ to: '/consent/notices', resetScroll: false }); }}
            foot={notice === undefined || !may('consents:manage') ? undefined : <Button variant="default" onClick={() => { void navigate({ to: '/consent/new-notice', search: { from: notice.id } }); }}>{t('consent.notice.add')}</Button>}>
            {query.isPending ? <div role="status" aria-label={t('loading')}>{[60, 90, 75].map((width) => <Skeleton key={width} height={16} my={14} width={`${width}%`} />)}</div>
                : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} />
                : (
                    <div className="stack" style={{ gap: 24 }}>
                        <div className="note" lang={query.data.language} style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>{query.data.text}</div>
                        <Hash notice={query.data} />
                        <Facts rows={[
                            [t('consent.notice.hash'), <Code key="h" text={query.data.sha256} />],
                            [t('consent.notice.created'), <When key="c" at={query.data.created_at} />],
                            ...termNames.flatMap((name): [string, React.ReactNode][] => { const text = termText(query.data.terms, name); return text === '' ? [] : [[t(`consent.terms.${name}`), text]]; }),
                            [t('messages.id'), <Code key="i" text={query.data.id} isShort />],
                        ]} />
                    </div>
                )}
        </Sheet>
    );
}
