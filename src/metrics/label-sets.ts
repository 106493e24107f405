/** Labels of what is told of each virtual service, and of each real server behind it. */
export const perService = ['virtual_service', 'service'] as const;
export const perRealServer = [...perService, 'real_server'] as const;
