// Fails to compile when a client made for the last release would no longer fit: an operation is gone,
// a request takes less than it took, an answer lost something. Additions pass.
import type { paths as Old } from "./generated/released";
import type { paths as New } from "./generated/today";

type Method = "get" | "put" | "post" | "patch" | "delete";
type Json<T> = T extends { content: { "application/json": infer B } } ? B : unknown;
type Params<T> = T extends { parameters: infer P } ? P : unknown;
type Request<T> = T extends { requestBody?: infer R } ? Json<NonNullable<R>> : unknown;
type Response<T> = T extends { responses: infer R } ? { [S in keyof R & (200 | 201 | 202)]: Json<R[S]> } : unknown;
type Get<T, K> = K extends keyof T ? T[K] : undefined;
type Present<T> = [NonNullable<T>] extends [never] ? false : true;

type Break<O, N> = Present<O> extends false ? never
  : Present<N> extends false ? "operation removed"
  : [Params<O>] extends [Params<N>]
    ? [Request<O>] extends [Request<N>]
      ? [Response<N>] extends [Response<O>] ? never : "the response lost something"
      : "the request body got stricter"
    : "parameters got stricter";

type Lines = {
  [P in keyof Old & string]: {
    [M in Method]: Break<NonNullable<Get<Old[P], M>>, NonNullable<Get<Get<New, P>, M>>> extends infer R extends string
      ? `${M} ${P}: ${R}`
      : never;
  }[Method];
}[keyof Old & string];

declare const breaks: Lines;
export const none: never = breaks;
