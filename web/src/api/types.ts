import type { components } from '@generated/schema';

type Schemas = components['schemas'];
export type Message = Schemas['Message'];
export type MessageStatus = Schemas['MessageStatus'];
export type TimelineEntry = Schemas['TimelineEntry'];
export type Channel = Schemas['Channel'];
export type Template = Schemas['Template'];
export type ApiKey = Schemas['ApiKey'];
export type Scope = Schemas['Scope'];
export type WebhookEndpoint = Schemas['WebhookEndpoint'];
export type WebhookDelivery = Schemas['WebhookDelivery'];
export type LimitState = Schemas['LimitState'];
export type AuditEntry = Schemas['AuditEntry'];
export type AuditEntryProved = Schemas['AuditEntryProved'];
export type MessageSettings = Schemas['MessageSettings'];
