// Reads and orders with the types that openapi-typescript made of the document: `SHOP=http://… node smoke.mjs`.
import type { components, paths } from "./api.js";

declare const process: { env: Record<string, string> };

type Products = paths["/api/products"]["get"]["responses"][200]["content"]["application/json"];
type OrderBody = components["schemas"]["OrderInput"];
type Placed = paths["/api/orders"]["post"]["responses"][201]["content"]["application/json"];

async function call<Answer>(path: keyof paths, method = "GET", body?: unknown): Promise<Answer> {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(process.env.SHOP + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  if (!answer.ok) throw new Error(await answer.text());
  return (await answer.json()) as Answer;
}

const { data: products, meta } = await call<Products>("/api/products");
const price: string = products[0].price;
const total: number | null = meta.total;
if (!total || !/^\d+\.\d\d$/.test(price)) throw new Error(`${total} products, the first for ${price}`);

const order: OrderBody = {
  email: "ada@example.com",
  cryptocurrency: "BTC",
  items: [{ productId: products.find((product) => product.stock > 0)!.id, quantity: 1 }],
  shippingAddress: { name: "Ada Lovelace", street: "12 Example Road", city: "London", postalCode: "N1 1AA", country: "GB" },
};
const { data: placed } = await call<Placed>("/api/orders", "POST", order);
const status: "unpaid" = placed.paymentStatus as "unpaid";
if (status !== "unpaid" || !placed.accessKey) throw new Error(JSON.stringify(placed));
console.log(placed.orderNumber, placed.payment.amount);
