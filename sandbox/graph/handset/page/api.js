/** What the page asks the simulator. */

export class ApiError extends Error {}

async function call(method, path, body, type) {
  let response;
  try {
    response = await fetch(`/handset/api/${path}`, { method, body: body === undefined ? undefined : type ? body : JSON.stringify(body),
      headers: body === undefined ? {} : { 'content-type': type ?? 'application/json' } });
  } catch {
    throw new ApiError('The sandbox does not answer. Is it still running?');
  }
  const value = await response.json().catch(() => ({}));
  if (!response.ok)
    throw new ApiError(value.error ?? `The sandbox answered ${response.status}.`);
  return value;
}

export const api = {
  state: () => call('GET', 'state'),
  chats: (waId) => call('GET', `chats/${waId}`),
  chat: (waId, phone) => call('GET', `chats/${waId}/${phone}`),
  makeHandset: (body) => call('POST', 'handsets', body),
  changeHandset: (waId, body) => call('PATCH', `handsets/${waId}`, body),
  write: (waId, phone, body) => call('POST', `chats/${waId}/${phone}/messages`, body),
  read: (waId, phone) => call('POST', `chats/${waId}/${phone}/read`, {}),
  attach: (waId, phone, file, caption) => call('POST', `chats/${waId}/${phone}/media?${new URLSearchParams({ filename: file.name, ...(caption ? { caption } : {}) })}`,
    file, file.type || 'application/octet-stream'),
};
