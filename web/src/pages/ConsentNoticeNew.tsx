import { Button, Skeleton, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, unwrap } from '@/api/client';
import { keys } from '@/api/keys';
import type { ConsentNotice } from '@/api/types';
import { Page, Problem } from '@/components/basics';
import { say } from '@/components/undo';
import { LANGUAGE, PURPOSE } from '@/features/consent/filter';
import { termNames, termsOf, termText } from '@/features/consent/notice';
import { noticeOne } from '@/features/consent/queries';
import { useT } from '@/i18n/i18n';

const route = getRouteApi('/app/consent/new-notice');

function Form({ before }: { before: ConsentNotice | undefined }) {
    const t = useT();
    const navigate = useNavigate();
    const client = useQueryClient();
    const [name, setName] = useState(before?.name ?? '');
    const [language, setLanguage] = useState(before?.language ?? 'en');
    const [text, setText] = useState(before?.text ?? '');
    const [terms, setTerms] = useState<Partial<Record<typeof termNames[number], string>>>(() => Object.fromEntries(termNames.map((each) => [each, before === undefined ? '' : termText(before.terms, each)])));
    const [asked, setAsked] = useState(false);
    const isWhole = PURPOSE.test(name) && LANGUAGE.test(language) && text.trim() !== '';
    const said = termsOf(terms);
    /* Who is responsible may be more than a name: what was not changed stays as it is. */
    if (before !== undefined && before.terms.controller !== undefined && terms.controller === termText(before.terms, 'controller'))
        said.controller = before.terms.controller;
    const make = useMutation({
        mutationFn: () => unwrap(api.POST('/v1/consent-notices', { body: { name, language, text, ...(Object.keys(said).length === 0 ? {} : { terms: said }) } })),
        onSuccess: async (made) => {
            say(t('consent.notice.made'));
            await client.invalidateQueries({ queryKey: keys.consents.notices });
            await client.invalidateQueries({ queryKey: keys.consents.noticeChoices });
            await navigate({ to: '/consent/notices/$noticeId', params: { noticeId: made.id } });
        },
    });
    return (
        <form className="form" noValidate onSubmit={(event) => { event.preventDefault(); setAsked(true); if (isWhole) make.mutate(); }}>
            {make.isError && <Problem error={make.error} />}
            <div className="line" style={{ alignItems: 'flex-start', gap: 16 }}>
                <TextInput label={t('consent.notice.name')} description={t('consent.notice.name.help')} style={{ flex: '1 1 300px' }} value={name} error={asked && !PURPOSE.test(name) ? t('consent.purpose.fault') : undefined} onChange={(event) => { setName(event.currentTarget.value); }} maxLength={40} />
                <TextInput label={t('consent.language')} description={t('consent.language.help')} style={{ flex: '1 1 140px' }} value={language} error={asked && !LANGUAGE.test(language) ? t('consent.language.help') : undefined} onChange={(event) => { setLanguage(event.currentTarget.value); }} maxLength={35} />
            </div>
            <Textarea label={t('consent.notice.text')} autosize minRows={5} maxRows={20} value={text} lang={LANGUAGE.test(language) ? language : undefined} error={asked && text.trim() === '' ? t('consent.notice.text.missing') : undefined} onChange={(event) => { setText(event.currentTarget.value); }} maxLength={16000} />
            <fieldset className="stack" style={{ border: 0, margin: 0, padding: 0 }}>
                <legend style={{ fontWeight: 600, padding: 0 }}>{t('consent.notice.terms')}</legend>
                {termNames.map((each) => <TextInput key={each} label={t(`consent.terms.${each}`)} value={terms[each] ?? ''} onChange={(event) => { setTerms({ ...terms, [each]: event.currentTarget.value }); }} maxLength={1000} />)}
            </fieldset>
            <div className="line"><Button type="submit" loading={make.isPending}>{t('consent.notice.add')}</Button><Button variant="subtle" color="gray" onClick={() => { void navigate({ to: '/consent/notices' }); }}>{t('cancel')}</Button></div>
        </form>
    );
}

/** The next version of a notice, from the one before or from nothing. */
export default function ConsentNoticeNew() {
    const t = useT();
    const { from } = route.useSearch();
    const before = useQuery({ ...noticeOne(from ?? ''), enabled: from !== undefined });
    return (
        <Page title={t('consent.notice.add')} purpose={t('consent.notice.add.purpose')} back={{ to: '/consent/notices', word: t('consent.notices') }}>
            {from !== undefined && before.isPending ? <Skeleton height={240} /> : before.isError ? <Problem error={before.error} /> : <Form before={before.data} />}
        </Page>
    );
}
