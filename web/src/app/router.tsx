import { QueryCache, QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect, type ErrorComponentProps } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { setCsrfToken, setSignedOut } from '@/api/client';
import { keys } from '@/api/keys';
import { ApiError } from '@/api/problem';
import { sessionQuery } from '@/api/session';
import { Problem } from '@/components/basics';
import { readAuditFilter } from '@/features/audit/queries';
import { readLedgerFilter, readSuppressionFilter } from '@/features/consent/filter';
import { readHeaderFilter, readLinkFilter, readTemplateFilter } from '@/features/dlt/filter';
import { readMessageFilter } from '@/features/messages/filter';
import { StepUp } from '@/features/sign-in/StepUp';
import { readPeopleFilter } from '@/features/team/filter';
import { words, type Area } from '@/i18n/words';
import { NotFound } from './NotFound';
import { Shell } from './Shell';

export const queryClient = new QueryClient({
    queryCache: new QueryCache({
        onError: (error) => {
            /* What the person may do has changed meanwhile: the rail is to say so too. */
            if (error instanceof ApiError && error.problem?.code === 'scope-missing')
                void queryClient.invalidateQueries({ queryKey: keys.session });
        },
    }),
    defaultOptions: {
        queries: {
            staleTime: 15_000, refetchOnWindowFocus: true,
            retry: (count, error) => count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
        },
    },
});

function Failure({ error, reset }: ErrorComponentProps) {
    return <div className="page"><Problem error={error} retry={() => { reset(); void router.invalidate(); }} /></div>;
}

/* Wherever something sensitive is asked, the dialog that asks back. */
function Everything() {
    return <><Outlet /><StepUp /></>;
}

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({ component: Everything, notFoundComponent: NotFound, errorComponent: Failure });

/**
 * A page and the areas of words it says (i18n.test.ts holds that none is forgotten): it is shown when it has both. The module is an
 * object to the compiler, as a page's own type is made of this router's.
 */
function page(load: () => Promise<object>, ...areas: Area[]) {
    return lazyRouteComponent(async () => (await Promise.all([load(), words().load(areas)]))[0] as { default: () => ReactNode });
}

function text(value: unknown): string | undefined {
    return typeof value === 'string' && value !== '' ? value : undefined;
}

const signIn = createRoute({
    getParentRoute: () => root, path: '/sign-in',
    validateSearch: (search: Record<string, unknown>): { to?: string; why?: string; problem?: string } => {
        const to = text(search['to']), why = text(search['why']), problem = text(search['problem']);
        /* Only a place of ours: neither another origin nor a scheme. */
        return { ...(to !== undefined && /^\/(?![/\\])/.test(to) ? { to } : {}), ...(why === undefined ? {} : { why }), ...(problem === undefined ? {} : { problem }) };
    },
    component: page(() => import('@/pages/SignIn'), 'sign-in'),
});

const cameBack = (search: Record<string, unknown>): { problem?: string } => { const problem = text(search['problem']); return problem === undefined ? {} : { problem }; };

const enrol = createRoute({ getParentRoute: () => root, path: '/enrol', validateSearch: cameBack, component: page(() => import('@/pages/Enrol'), 'sign-in') });

/* Between a provider and the workspace; who has nothing left to do there goes on. */
const secondFactor = createRoute({
    getParentRoute: () => root, path: '/second-factor', errorComponent: Failure,
    beforeLoad: async ({ context }) => {
        try {
            const session = await context.queryClient.query({ ...sessionQuery, staleTime: 'static' });
            if (session.second_factor === null)
                throw redirect({ to: '/' });
        } catch (error) {
            if (error instanceof ApiError && error.status === 401)
                throw redirect({ to: '/sign-in' });
            throw error;
        }
    },
    component: page(() => import('@/pages/SecondFactor'), 'security', 'sign-in'),
});

const confirmEmail = createRoute({ getParentRoute: () => root, path: '/confirm-email', component: page(() => import('@/pages/ConfirmEmail'), 'sign-in') });

const app = createRoute({
    getParentRoute: () => root, id: 'app', component: Shell, errorComponent: Failure,
    beforeLoad: async ({ context, location }) => {
        try {
            const session = await context.queryClient.query({ ...sessionQuery, staleTime: 'static' });
            if (session.second_factor != null)
                throw redirect({ to: '/second-factor' });
        } catch (error) {
            if (error instanceof ApiError && error.status === 401)
                throw redirect({ to: '/sign-in', search: location.href === '/' ? {} : { to: location.href } });
            throw error;
        }
    },
});

const home = createRoute({ getParentRoute: () => app, path: '/', component: page(() => import('@/pages/Overview')) });
const messages = createRoute({ getParentRoute: () => app, path: '/messages', validateSearch: readMessageFilter, component: page(() => import('@/pages/Messages'), 'messages') });
const message = createRoute({ getParentRoute: () => messages, path: '$messageId', component: page(() => import('@/pages/Message'), 'limits', 'messages', 'receipts') });
const apiKeys = createRoute({ getParentRoute: () => app, path: '/api-keys', component: page(() => import('@/pages/ApiKeys'), 'keys') });
const apiKey = createRoute({ getParentRoute: () => app, path: '/api-keys/$keyId', component: page(() => import('@/pages/ApiKey'), 'keys', 'scopes') });
const apiKeyNew = createRoute({ getParentRoute: () => app, path: '/api-keys/new', component: page(() => import('@/pages/ApiKeyNew'), 'keys', 'scopes') });

const webhooks = createRoute({ getParentRoute: () => app, path: '/webhooks', component: page(() => import('@/pages/Webhooks'), 'webhooks') });
const webhookNew = createRoute({ getParentRoute: () => app, path: '/webhooks/new', component: page(() => import('@/pages/WebhookNew'), 'webhooks') });
const webhook = createRoute({ getParentRoute: () => app, path: '/webhooks/$endpointId', component: page(() => import('@/pages/Webhook'), 'webhooks') });
const delivery = createRoute({ getParentRoute: () => webhook, path: 'deliveries/$deliveryId', component: page(() => import('@/pages/Delivery'), 'webhooks') });
const channels = createRoute({ getParentRoute: () => app, path: '/channels', component: page(() => import('@/pages/Channels'), 'channels', 'sms') });
const channelConnect = createRoute({
    getParentRoute: () => app, path: '/channels/connect', component: page(() => import('@/pages/ChannelConnect'), 'channels', 'sms'),
    validateSearch: (search: Record<string, unknown>): { kind?: 'sms' } => (search['kind'] === 'sms' ? { kind: 'sms' } : {}),
});
const channel = createRoute({ getParentRoute: () => app, path: '/channels/$channelId', component: page(() => import('@/pages/Channel'), 'channels', 'limits', 'sms') });
const operators = createRoute({ getParentRoute: () => app, path: '/channels/operators', component: page(() => import('@/pages/Operators'), 'sms') });
const operatorNew = createRoute({ getParentRoute: () => app, path: '/channels/operators/new', component: page(() => import('@/pages/OperatorNew'), 'sms') });
const operator = createRoute({ getParentRoute: () => app, path: '/channels/operators/$connectorId', component: page(() => import('@/pages/Operator'), 'channels', 'sms') });
const smsRoutes = createRoute({ getParentRoute: () => app, path: '/channels/routes', component: page(() => import('@/pages/SmsRoutes'), 'sms') });
const smsRoute = createRoute({
    getParentRoute: () => smsRoutes, path: '$routeId', component: page(() => import('@/pages/SmsRoute'), 'sms'),
    validateSearch: (search: Record<string, unknown>): { operator?: string; sender?: string } => { const of = text(search['operator']), from = text(search['sender']); return { ...(of === undefined ? {} : { operator: of }), ...(from === undefined ? {} : { sender: from }) }; },
});
const smsPreview = createRoute({
    getParentRoute: () => app, path: '/channels/preview', component: page(() => import('@/pages/SmsPreview'), 'sms'),
    validateSearch: (search: Record<string, unknown>): { sender?: string } => { const sender = text(search['sender']); return sender === undefined ? {} : { sender }; },
});
const templates = createRoute({ getParentRoute: () => app, path: '/templates', component: page(() => import('@/pages/Templates'), 'templates') });
const template = createRoute({ getParentRoute: () => templates, path: '$templateId', component: page(() => import('@/pages/Template'), 'templates') });
const templateNew = createRoute({ getParentRoute: () => app, path: '/new-template', component: page(() => import('@/pages/TemplateNew'), 'templates') });
const usage = createRoute({ getParentRoute: () => app, path: '/usage', component: page(() => import('@/pages/Usage'), 'limits') });
const settings = createRoute({ getParentRoute: () => app, path: '/settings', component: page(() => import('@/pages/Settings'), 'settings') });
const policy = createRoute({ getParentRoute: () => app, path: '/policy', component: page(() => import('@/pages/Policy'), 'dnd', 'policy') });
const consent = createRoute({ getParentRoute: () => app, path: '/consent', component: page(() => import('@/pages/Consent'), 'consent') });
const consentHome = createRoute({ getParentRoute: () => consent, path: '/', beforeLoad: () => { throw redirect({ to: '/consent/ledger' }); } });
const ledger = createRoute({ getParentRoute: () => consent, path: 'ledger', validateSearch: readLedgerFilter, component: page(() => import('@/pages/ConsentLedger'), 'consent') });
const consentEntry = createRoute({ getParentRoute: () => ledger, path: '$consentId', component: page(() => import('@/pages/ConsentEntry'), 'consent') });
const consentLookUp = createRoute({ getParentRoute: () => consent, path: 'look-up', component: page(() => import('@/pages/ConsentLookUp'), 'consent') });
const suppressions = createRoute({ getParentRoute: () => consent, path: 'suppressions', validateSearch: readSuppressionFilter, component: page(() => import('@/pages/Suppressions'), 'consent') });
const notices = createRoute({ getParentRoute: () => consent, path: 'notices', component: page(() => import('@/pages/ConsentNotices'), 'consent') });
const notice = createRoute({ getParentRoute: () => notices, path: '$noticeId', component: page(() => import('@/pages/ConsentNotice'), 'consent') });
const consentSettings = createRoute({ getParentRoute: () => consent, path: 'settings', component: page(() => import('@/pages/ConsentSettings'), 'consent') });
const consentRecord = createRoute({ getParentRoute: () => app, path: '/consent/record', component: page(() => import('@/pages/ConsentRecord'), 'consent') });
const consentImport = createRoute({
    getParentRoute: () => app, path: '/consent/import', component: page(() => import('@/pages/ConsentImport'), 'consent'),
    validateSearch: (search: Record<string, unknown>): { of?: 'suppressions' } => (search['of'] === 'suppressions' ? { of: 'suppressions' } : {}),
});
const noticeNew = createRoute({
    getParentRoute: () => app, path: '/consent/new-notice', component: page(() => import('@/pages/ConsentNoticeNew'), 'consent'),
    validateSearch: (search: Record<string, unknown>): { from?: string } => { const from = text(search['from']); return from === undefined ? {} : { from }; },
});
const dnd = createRoute({ getParentRoute: () => app, path: '/dnd', component: page(() => import('@/pages/Dnd'), 'dnd') });
const dlt = createRoute({ getParentRoute: () => app, path: '/dlt', component: page(() => import('@/pages/Dlt'), 'dlt') });
const dltHome = createRoute({ getParentRoute: () => dlt, path: '/', beforeLoad: () => { throw redirect({ to: '/dlt/entities' }); } });
const dltEntities = createRoute({ getParentRoute: () => dlt, path: 'entities', component: page(() => import('@/pages/DltEntities'), 'dlt') });
const dltEntity = createRoute({ getParentRoute: () => dltEntities, path: '$entityId', component: page(() => import('@/pages/DltEntity'), 'dlt') });
const dltChain = createRoute({
    getParentRoute: () => dltEntities, path: 'chain/$chainId', component: page(() => import('@/pages/DltChain'), 'dlt'),
    validateSearch: (search: Record<string, unknown>): { entity?: string } => { const entity = text(search['entity']); return entity === undefined ? {} : { entity }; },
});
const dltHeaders = createRoute({ getParentRoute: () => dlt, path: 'headers', validateSearch: readHeaderFilter, component: page(() => import('@/pages/DltHeaders'), 'dlt') });
const dltHeader = createRoute({ getParentRoute: () => dltHeaders, path: '$headerId', component: page(() => import('@/pages/DltHeader'), 'dlt') });
const dltTemplates = createRoute({ getParentRoute: () => dlt, path: 'templates', validateSearch: readTemplateFilter, component: page(() => import('@/pages/DltTemplates'), 'dlt') });
const dltTemplate = createRoute({ getParentRoute: () => dltTemplates, path: '$templateId', component: page(() => import('@/pages/DltTemplate'), 'dlt') });
const dltLinks = createRoute({ getParentRoute: () => dlt, path: 'links', validateSearch: readLinkFilter, component: page(() => import('@/pages/DltLinks'), 'dlt') });
const dltLink = createRoute({ getParentRoute: () => dltLinks, path: 'new', component: page(() => import('@/pages/DltLink'), 'dlt') });
const dltTry = createRoute({
    getParentRoute: () => dlt, path: 'try', component: page(() => import('@/pages/DltTry'), 'dlt'),
    validateSearch: (search: Record<string, unknown>): { header?: string; template?: string } => {
        const header = text(search['header']), template = text(search['template']);
        return { ...(header === undefined ? {} : { header }), ...(template === undefined ? {} : { template }) };
    },
});
const dltImport = createRoute({ getParentRoute: () => app, path: '/dlt/import', component: page(() => import('@/pages/DltImport'), 'dlt') });
const security = createRoute({
    getParentRoute: () => app, path: '/security',
    /* What a provider has sent back to. */
    validateSearch: (search: Record<string, unknown>): { connected?: string; problem?: string } => {
        const problem = text(search['problem']);
        return { ...(search['connected'] === undefined ? {} : { connected: '1' }), ...(problem === undefined ? {} : { problem }) };
    },
    component: page(() => import('@/pages/Security'), 'security'),
});
const audit = createRoute({ getParentRoute: () => app, path: '/audit', validateSearch: readAuditFilter, component: page(() => import('@/pages/Audit'), 'audit') });
const auditEntry = createRoute({ getParentRoute: () => audit, path: '$entryId', component: page(() => import('@/pages/AuditEntry'), 'audit') });
const team = createRoute({ getParentRoute: () => app, path: '/team', component: page(() => import('@/pages/Team'), 'team') });
const teamHome = createRoute({ getParentRoute: () => team, path: '/', beforeLoad: () => { throw redirect({ to: '/team/people' }); } });
const people = createRoute({ getParentRoute: () => team, path: 'people', component: page(() => import('@/pages/People'), 'scopes', 'team'), validateSearch: readPeopleFilter });
const person = createRoute({ getParentRoute: () => people, path: '$membershipId', component: page(() => import('@/pages/Person'), 'scopes', 'team') });
const invitations = createRoute({ getParentRoute: () => team, path: 'invitations', component: page(() => import('@/pages/Invitations'), 'scopes', 'team') });
const invite = createRoute({ getParentRoute: () => app, path: '/team/invite', component: page(() => import('@/pages/Invite'), 'scopes', 'team') });
const teams = createRoute({ getParentRoute: () => team, path: 'teams', component: page(() => import('@/pages/Teams'), 'scopes', 'team') });
const teamOne = createRoute({ getParentRoute: () => teams, path: '$teamId', component: page(() => import('@/pages/TeamOne'), 'scopes', 'team') });
const roles = createRoute({ getParentRoute: () => team, path: 'roles', component: page(() => import('@/pages/Roles'), 'scopes', 'team') });
const role = createRoute({
    getParentRoute: () => roles, path: '$roleId', component: page(() => import('@/pages/Role'), 'scopes', 'team'),
    validateSearch: (search: Record<string, unknown>): { from?: string } => { const from = text(search['from']); return from === undefined ? {} : { from }; },
});
const reviews = createRoute({ getParentRoute: () => team, path: 'reviews', component: page(() => import('@/pages/Reviews'), 'team') });
const review = createRoute({ getParentRoute: () => app, path: '/team/reviews/$reviewId', component: page(() => import('@/pages/Review'), 'scopes', 'team') });
const reference = createRoute({
    getParentRoute: () => app, path: '/reference', component: page(() => import('@/pages/Reference'), 'reference'),
    validateSearch: (search: Record<string, unknown>): { operation?: string } => { const operation = text(search['operation']); return operation === undefined ? {} : { operation }; },
});

const routeTree = root.addChildren([signIn, enrol, secondFactor, confirmEmail, app.addChildren([home, messages.addChildren([message]), apiKeys, apiKeyNew, apiKey, webhooks, webhookNew, webhook.addChildren([delivery]), channels, channelConnect, operators, operatorNew, operator, smsRoutes.addChildren([smsRoute]), smsPreview, channel, templates.addChildren([template]), templateNew, usage, settings, policy, dnd, dltImport, dlt.addChildren([dltHome, dltEntities.addChildren([dltEntity, dltChain]), dltHeaders.addChildren([dltHeader]), dltTemplates.addChildren([dltTemplate]), dltLinks.addChildren([dltLink]), dltTry]), consent.addChildren([consentHome, ledger.addChildren([consentEntry]), consentLookUp, suppressions, notices.addChildren([notice]), consentSettings]), consentRecord, consentImport, noticeNew, security, audit.addChildren([auditEntry]), team.addChildren([teamHome, people.addChildren([person]), invitations, teams.addChildren([teamOne]), roles.addChildren([role]), reviews]), invite, review, reference])]);

export const router = createRouter({
    routeTree, context: { queryClient }, defaultPreload: 'intent', defaultPreloadStaleTime: 0, scrollRestoration: true,
    getScrollRestorationKey: (location) => location.pathname.split('/').slice(0, 2).join('/'),
});

setSignedOut(() => {
    if (queryClient.getQueryData(keys.session) === undefined)
        return;
    setCsrfToken(null);
    queryClient.clear();
    void router.navigate({ to: '/sign-in', search: { to: router.state.location.href, why: 'ended' } });
});

declare module '@tanstack/react-router' {
    interface Register {
        router: typeof router;
    }
}
