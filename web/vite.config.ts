import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const server = process.env.NODEGRAPH_URL ?? "http://127.0.0.1:8288";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../nodegraph/server/static",
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": server } },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
