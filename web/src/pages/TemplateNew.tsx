import { Button, Select, TextInput, Textarea } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import { Page, Problem } from '@/components/basics';
import { channelsQuery } from '@/features/channels/queries';
import { variablesOf, type Part } from '@/features/templates/preview';
import { Preview } from '@/features/templates/Preview';
import { useT } from '@/i18n/i18n';

const categories = ['utility', 'marketing', 'authentication'] as const;

export default function TemplateNew() {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const channels = useQuery(channelsQuery);
    const [channel, setChannel] = useState<string | null>(null);
    const [name, setName] = useState('');
    const [language, setLanguage] = useState('en');
    const [category, setCategory] = useState<(typeof categories)[number]>('utility');
    const [header, setHeader] = useState('');
    const [body, setBody] = useState('');
    const [footer, setFooter] = useState('');
    const [samples, setSamples] = useState<Record<string, string>>({});
    const [asked, setAsked] = useState(false);
    const variables = variablesOf(body);
    const chosen = channel ?? channels.data?.[0]?.id ?? null;
    const isName = /^[a-z0-9_]{1,512}$/.test(name);
    const isWhole = chosen !== null && isName && body.trim() !== '' && variables.every((variable) => (samples[variable] ?? '') !== '');
    const isNamed = variables.some((variable) => !/^\d+$/.test(variable));
    const parts: Part[] = [...(header === '' ? [] : [{ type: 'HEADER', format: 'TEXT', text: header }]), { type: 'BODY', text: body === '' ? t('templates.body.placeholder') : body }, ...(footer === '' ? [] : [{ type: 'FOOTER', text: footer }])];
    const create = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/templates', { body: {
            channel_id: chosen ?? '', name, language, category, ...(isNamed ? { parameter_format: 'named' as const } : {}),
            components: [
                ...(header === '' ? [] : [{ type: 'HEADER' as const, format: 'TEXT' as const, text: header }]),
                { type: 'BODY' as const, text: body, ...(variables.length === 0 ? {} : { example: isNamed ? { body_text_named_params: variables.map((variable) => ({ param_name: variable, example: samples[variable] ?? '' })) } : { body_text: [variables.map((variable) => samples[variable] ?? '')] } }) },
                ...(footer === '' ? [] : [{ type: 'FOOTER' as const, text: footer }]),
            ],
        } })),
        onSuccess: async (template) => { await client.invalidateQueries({ queryKey: keys.templates.all }); await navigate({ to: '/templates/$templateId', params: { templateId: template.id } }); },
    });
    return (
        <Page title={t('templates.add')} purpose={t('templates.add.purpose')} back={{ to: '/templates', word: t('nav.templates') }}>
            <div style={{ display: 'flex', flexWrap: 'wrap', gap: 32, alignItems: 'flex-start' }}>
                <form className="form" style={{ flex: '1 1 360px' }} noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) create.mutate(); }}>
                    {create.isError && <Problem error={create.error} />}
                    <Select label={t('messages.channel')} data={(channels.data ?? []).map((each) => ({ value: each.id, label: each.name }))} value={chosen} onChange={setChannel} allowDeselect={false} error={asked && chosen === null ? t('templates.channel.missing') : undefined} />
                    <TextInput label={t('keys.name')} description={t('templates.name.help')} value={name} onChange={(event) => { setName(event.currentTarget.value); }} error={asked && !isName ? t('templates.name.help') : undefined} />
                    <TextInput label={t('templates.language')} description={t('templates.language.help')} value={language} onChange={(event) => { setLanguage(event.currentTarget.value); }} maxLength={16} />
                    <Select label={t('messages.category')} data={categories.map((value) => ({ value, label: t(`templates.category.${value}`) }))} value={category} allowDeselect={false} onChange={(value) => { setCategory(categories.find((each) => each === value) ?? 'utility'); }} />
                    <TextInput label={t('templates.header')} value={header} onChange={(event) => { setHeader(event.currentTarget.value); }} maxLength={60} />
                    <Textarea label={t('templates.body')} description={t('templates.body.help')} autosize minRows={4} value={body} onChange={(event) => { setBody(event.currentTarget.value); }} maxLength={1024} error={asked && body.trim() === '' ? t('templates.body.missing') : undefined} />
                    {variables.map((variable) => <TextInput key={variable} label={t('templates.sample', { name: variable })} value={samples[variable] ?? ''} onChange={(event) => { setSamples({ ...samples, [variable]: event.currentTarget.value }); }} error={asked && (samples[variable] ?? '') === '' ? t('templates.sample.missing') : undefined} />)}
                    <TextInput label={t('templates.footer')} value={footer} onChange={(event) => { setFooter(event.currentTarget.value); }} maxLength={60} />
                    <div className="line"><Button type="submit" loading={create.isPending}>{t('templates.submit')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/templates' }); }}>{t('cancel')}</Button></div>
                </form>
                <div style={{ flex: '0 1 320px', position: 'sticky', top: 24 }}><h2 style={{ marginTop: 0 }}>{t('templates.preview')}</h2><Preview parts={parts} samples={samples} /></div>
            </div>
        </Page>
    );
}
