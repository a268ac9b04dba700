import { Button, Skeleton } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { useMay } from '@/app/session';
import { Code, Facts, Json, Problem, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { StatusBadge } from '@/components/status';
import { say } from '@/components/undo';
import { partsOf } from '@/features/templates/preview';
import { Preview } from '@/features/templates/Preview';
import { templateOne } from '@/features/templates/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/templates/$templateId');

export default function Template() {
    const t = useT();
    const may = useMay();
    const navigate = useNavigate();
    const client = useQueryClient();
    const { templateId } = route.useParams();
    const query = useQuery(templateOne(templateId));
    const [isEnding, setEnding] = useState(false);
    const close = () => { void navigate({ to: '/templates', resetScroll: false }); };
    const remove = useMutation({
        mutationFn: () => unwrap(api.DELETE('/v1/templates/{template_id}', { params: { path: { template_id: templateId } } })),
        onSuccess: () => { say(t('templates.deleting')); setEnding(false); close(); return client.invalidateQueries({ queryKey: keys.templates.all }); },
    });
    const template = query.data;
    return (
        <Sheet title={template?.name ?? t('templates.one')} label={t('templates.one')} onClose={close} foot={template === undefined ? undefined : <Button variant="default" color="red" disabled={!may('templates:manage')} onClick={() => { setEnding(true); }}>{t('templates.delete')}</Button>}>
            {query.isPending ? <Skeleton height={240} /> : query.isError ? <Problem error={query.error} retry={() => { void query.refetch(); }} /> : (
                <div className="stack">
                    {query.data.error !== null && <div className="note"><strong>{query.data.error.title}</strong> <span className="mono quiet">{query.data.error.code}</span></div>}
                    <Preview parts={partsOf(query.data.components)} />
                    <Facts rows={[[t('messages.status'), <StatusBadge key="s" state={query.data.state} />], ...(query.data.state_reason === null ? [] : [[t('templates.reason'), query.data.state_reason] as [string, React.ReactNode]]), [t('messages.category'), query.data.category.toLowerCase()], [t('templates.language'), <span key="l" className="mono">{query.data.language}</span>], [t('channels.quality'), query.data.quality], [t('messages.id'), <Code key="i" text={query.data.id} />], [t('updated'), <When key="u" at={query.data.updated_at} />]]} />
                    <Json value={query.data.components ?? []} />
                </div>
            )}
            <ConfirmByName isOpen={isEnding} title={t('templates.delete')} text={t('templates.delete.text')} name={template?.name ?? ''} act={t('templates.delete')} isBusy={remove.isPending} onClose={() => { setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Sheet>
    );
}
