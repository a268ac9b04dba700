import { Button } from '@mantine/core';
import { useMutation, useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { IconPencil, IconTrash } from '@tabler/icons-react';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import type { DltTemplate as Template } from '@/api/types';
import { useMay } from '@/app/session';
import { Code, Facts, Problem, RowsSkeleton, When } from '@/components/basics';
import { ConfirmByName } from '@/components/secrets';
import { Sheet } from '@/components/Sheet';
import { categories } from '@/features/dlt/filter';
import { Pause, RegistryState, TemplateText } from '@/features/dlt/pieces';
import { dltQuery, templateQuery, useStale } from '@/features/dlt/queries';
import { TemplateForm } from '@/features/dlt/TemplateForm';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/dlt/templates/$templateId');

/** One template, or "new". */
export default function DltTemplate() {
    const t = useT();
    const navigate = useNavigate();
    const { templateId } = route.useParams();
    const search = route.useSearch();
    const query = useQuery({ ...templateQuery(templateId), enabled: templateId !== 'new' });
    const close = () => { void navigate({ to: '/dlt/templates', search, resetScroll: false }); };
    if (templateId === 'new')
        return <Sheet title={t('dlt.template.add')} label={t('dlt.template')} onClose={close}><TemplateForm template={null} onDone={({ id }) => { void navigate({ to: '/dlt/templates/$templateId', params: { templateId: id }, search, resetScroll: false }); }} /></Sheet>;
    if (query.isSuccess)
        return <One template={query.data} onClose={close} />;
    return <Sheet title={t('dlt.template')} label={t('dlt.template')} onClose={close}>{query.isPending ? <RowsSkeleton count={4} /> : <Problem error={query.error} retry={() => { void query.refetch(); }} />}</Sheet>;
}

function One({ template, onClose }: { template: Template; onClose: () => void }) {
    const t = useT();
    const isMine = useMay()('dlt:manage');
    const stale = useStale();
    const { data: overview } = useSuspenseQuery(dltQuery);
    const [isChanging, setChanging] = useState(false);
    const [isEnding, setEnding] = useState(false);
    const path = { params: { path: { dlt_template_id: template.id } } };
    const pause = useMutation({ mutationFn: (paused_reason: string | null) => unwrap(api.PATCH('/v1/dlt/templates/{dlt_template_id}', { ...path, body: { paused_reason } })), onSuccess: stale });
    const remove = useMutation({ mutationFn: () => unwrap(api.DELETE('/v1/dlt/templates/{dlt_template_id}', path)), onSuccess: async () => { onClose(); await stale(); } });
    const category = categories.find((each) => each === template.category);
    const first = template.headers[0];
    return (
        <Sheet title={template.name} label={t('dlt.template')} onClose={() => { if (!isEnding) onClose(); }}
            foot={!isMine || isChanging ? undefined : <><Button leftSection={<IconPencil size={16} />} onClick={() => { setChanging(true); }}>{t('dlt.change')}</Button><Button variant="default" leftSection={<IconTrash size={16} />} style={{ color: 'var(--st-red)' }} onClick={() => { setEnding(true); }}>{t('dlt.template.remove')}</Button></>}>
            {isChanging ? <TemplateForm key={template.updated_at} template={template} onDone={() => { setChanging(false); }} /> : (
                <div className="stack" style={{ gap: 20 }}>
                    <TemplateText text={template.text} label={t('dlt.text')} />
                    {template.variables.length !== 0 && (
                        <ol className="plain">{template.variables.map((variable, i) => <li key={i}>{t(`dlt.takes.${variable.type}`)} <span className="quiet">{t('dlt.variable.most', { count: variable.max_length })}</span></li>)}</ol>
                    )}
                    {first !== undefined && template.kind === 'content' && <div><Link to="/dlt/try" search={{ header: first, template: template.registered_id }}>{t('dlt.template.try')}</Link></div>}
                    {template.remarks.length !== 0 && <div className="note"><strong>{t('dlt.remarks')}</strong><ul className="plain" style={{ marginTop: 4 }}>{template.remarks.map((remark) => <li key={remark}>{t(`dlt.remark.${remark}`)}</li>)}</ul></div>}
                    <Pause of={template} isMine={isMine} isBusy={pause.isPending} error={pause.error} onPause={(reason) => { pause.mutate(reason); }} />
                    <Facts rows={[
                        [t('dlt.state'), <RegistryState key="s" state={template.state} isPaused={template.paused_reason !== null} />],
                        [t('dlt.kind'), t(`dlt.kind.${template.kind}`)],
                        ...(category === undefined ? [] : [[t('dlt.category'), `${t(`dlt.category.${category}`)}${template.suffix === null ? '' : ` (${template.suffix})`}`] as [string, React.ReactNode]]),
                        [t('dlt.template.id'), <Code key="i" text={template.registered_id} />],
                        ...(template.consent_template_id === null ? [] : [[t('dlt.template.consent'), <Code key="c" text={template.consent_template_id} />] as [string, React.ReactNode]]),
                        [t('dlt.headers'), template.headers.length === 0 ? t('dlt.template.headers.none') : <span key="h" className="mono">{template.headers.join(', ')}</span>],
                        [t('dlt.entity'), overview.entities.find((entity) => entity.id === template.entity_id)?.name ?? '–'],
                        [t('dlt.recorded'), <When key="w" at={template.created_at} />], [t('updated'), <When key="u" at={template.updated_at} />],
                    ]} />
                </div>
            )}
            <ConfirmByName isOpen={isEnding} title={t('dlt.template.remove')} text={t('dlt.template.remove.text')} name={template.name} act={t('dlt.template.remove')} isBusy={remove.isPending} onClose={() => { remove.reset(); setEnding(false); }} onConfirm={() => { remove.mutate(); }}>{remove.isError && <Problem error={remove.error} />}</ConfirmByName>
        </Sheet>
    );
}
