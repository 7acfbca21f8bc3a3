import { mount } from 'svelte';
import './style/base.css';
import './style/values.css';
import './style/frame.css';
import './style/board.css';
import './style/board-phone.css';
import './style/market.css';
import './style/market-phone.css';
import './style/depth.css';
import './style/trade.css';
import App from './ui/App.svelte';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no #app');
mount(App, { target });
