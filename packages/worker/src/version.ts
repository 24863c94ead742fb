/** Of the worker program, as it is reported to the server. */
export const version = '0.1.0';
